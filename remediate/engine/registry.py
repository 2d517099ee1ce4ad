"""Finds playbooks by name, by path, and by any spelling of a code."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path

from remediate.adcs.hresult import HResult
from remediate.engine.playbook import Cause, Meta, Playbook
from remediate.model.errors import UsageError
from remediate.shipped import files_in, playbooks_folder


def load(path: Path) -> Playbook:
    """Load one playbook file. Raises UsageError when it is not one."""
    spec = importlib.util.spec_from_file_location(f"remediate_playbook_{path.stem}", path)
    if spec is None or spec.loader is None or not path.is_file():
        raise UsageError("this is not a playbook", where=str(path), do="Name a .py file that exists.")
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise UsageError(
            "the playbook cannot be loaded", where=str(path), why=f"{type(error).__name__}: {error}"
        ) from error
    meta = getattr(module, "META", None)
    causes = tuple(value for value in vars(module).values() if isinstance(value, Cause))
    if not isinstance(meta, Meta) or not causes:
        raise UsageError("a playbook needs META and at least one cause", where=str(path))
    return Playbook(path.stem, path, meta, causes)


# The sections in the order in which the article has them, what it asks for before you start first.
_ORDER = (
    "setup_requirements",
    "antivirus_exclusions",
    "rpc_server_unavailable",
    "enrollment_policy_server_missing",
    "submission_pending",
    "parameter_incorrect",
    "denied_by_policy_module",
    "stuck_pending",
    "subject_email_required",
)


def _in_the_articles_order(path: Path) -> tuple[int, str]:
    return (_ORDER.index(path.stem) if path.stem in _ORDER else len(_ORDER), path.stem)


def every(folders: tuple[str, ...] = ()) -> tuple[Playbook, ...]:
    """Return every shipped playbook and those of the admin's own folders, in the article's order then by name."""
    return _every(folders, tuple(Path(folder).absolute() for folder in folders))


@lru_cache(maxsize=8)
def _every(folders: tuple[str, ...], _where: tuple[Path, ...]) -> tuple[Playbook, ...]:
    """The same name means another folder in another working directory."""
    paths = sorted(playbooks_folder().glob("*.py"), key=_in_the_articles_order)
    for folder in folders:
        paths += files_in(Path(folder), "*.py")
    return tuple(load(path) for path in paths if not path.name.startswith("_"))


def find(wanted: Iterable[str], folders: tuple[str, ...] = ()) -> tuple[Playbook, ...]:
    """Return the playbooks that are meant, all when none is named. Raises UsageError for an unknown one."""
    known = every(folders)
    found: dict[str, Playbook] = {}
    for text in wanted:
        for playbook in _matching(text, known):
            found.setdefault(playbook.name, playbook)
    return tuple(found.values()) or known


def _matching(text: str, known: tuple[Playbook, ...]) -> tuple[Playbook, ...]:
    if text.endswith(".py"):
        return (load(Path(text)),)
    by_name = tuple(playbook for playbook in known if playbook.name == text.lower())
    by_code = _by_code(text, known)
    if not by_name and not by_code:
        names = ", ".join(playbook.name for playbook in known)
        raise UsageError(f"no playbook is called {text!r} and none knows it as a code", do=f"Known: {names}.")
    return by_name or by_code


def _by_code(text: str, known: tuple[Playbook, ...]) -> tuple[Playbook, ...]:
    try:
        code = str(HResult.parse(text))
    except ValueError:
        return ()
    owning = tuple(p for p in known if p.meta.codes[:1] == (code,))
    return owning or tuple(playbook for playbook in known if code in playbook.meta.codes)
