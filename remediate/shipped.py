"""What travels with the program: the playbooks and the PowerShell.

In a wheel they stand inside the package, in a checkout beside it; either way they are plain files to read.
"""

from __future__ import annotations

from pathlib import Path

from remediate.model.errors import DocumentError, UsageError


def playbooks_folder() -> Path:
    """Return the folder of the playbooks. Raises DocumentError when the installation lacks it."""
    return _folder("playbooks")


def scripts_folder() -> Path:
    """Return the folder of the PowerShell, with lib/ and collect/. Raises DocumentError when it is missing."""
    return _folder("scripts")


def files_in(folder: Path, pattern: str) -> tuple[Path, ...]:
    """Return the files right in a folder of playbooks whose names match, in the order of names.

    Raises UsageError when there is no such folder, DocumentError when it may not be read: it must not pass for empty.
    """
    try:
        return tuple(sorted(file for file in folder.iterdir() if file.match(pattern)))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError("there is no such folder of playbooks", where=str(folder)) from None
    except OSError as error:
        raise DocumentError(
            "the folder of playbooks cannot be read",
            where=str(folder),
            why=error.strerror or type(error).__name__,
            do="Check who may read it.",
        ) from None


def _folder(name: str) -> Path:
    package = Path(__file__).resolve().parent
    for folder in (package / "_shipped" / name, package.parent / name):
        if folder.is_dir():
            return folder
    raise DocumentError(f"the folder {name} is missing", where=str(package), do="Install remediate again.")
