"""`python -m remediate` is the same as `remediate`."""

from remediate.cli.main import program

program()
