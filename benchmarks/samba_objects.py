"""Adds objects to a domain controller's database; runs under the Python that Samba's libraries belong to.

`samba_objects.py CONFIGURATION < OBJECTS`: JSON as `tests.lab.contoso.directory_object` makes it, in one transaction.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "lab"))

from samba_directory import Directory  # type: ignore[import-not-found]

if __name__ == "__main__":
    Directory(sys.argv[1]).add_objects(json.load(sys.stdin), {})
