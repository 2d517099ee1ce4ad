"""Stand-ins for what only Windows has: programs and PowerShell commands, answered from a lab host's state."""
