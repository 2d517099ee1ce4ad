"""The command line: arguments, progress and exit codes. It decides nothing about certificates."""
