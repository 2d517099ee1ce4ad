"""What travels with the program: the playbooks and the PowerShell.

In a wheel they stand inside the package, in a checkout beside it; either way they are plain files to read.
"""

from __future__ import annotations

from pathlib import Path

from remediate.model.errors import DocumentError


def playbooks_folder() -> Path:
    """Return the folder of the playbooks. Raises DocumentError when the installation lacks it."""
    return _folder("playbooks")


def scripts_folder() -> Path:
    """Return the folder of the PowerShell, with lib/ and collect/. Raises DocumentError when it is missing."""
    return _folder("scripts")


def _folder(name: str) -> Path:
    package = Path(__file__).resolve().parent
    for folder in (package / "_shipped" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise DocumentError(f"the folder {name} is missing", where=str(package), do="Install remediate again.")
