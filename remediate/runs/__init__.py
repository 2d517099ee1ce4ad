"""What was done, kept: one folder per run below the state folder, and nothing else is touched from here."""
