"""Logs in, symptoms out: what was read of which file, which known problems it shows, and which playbook knows them.

`sources` is the only part that opens files, and it opens them for reading alone.
"""
