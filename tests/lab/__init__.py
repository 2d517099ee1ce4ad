"""An estate of real servers on loopback: a Samba domain controller and Windows-like hosts behind WinRM."""
