"""A WinRM endpoint on loopback with PowerShell's own remoting server behind it ([MS-WSMV], [MS-PSRP])."""
