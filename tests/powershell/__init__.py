"""Tests of the PowerShell in `scripts`, run by a real PowerShell engine."""
