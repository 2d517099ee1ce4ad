"""Generated PowerShell: literals, the library functions a script needs, and the three scripts of a hand-over."""
