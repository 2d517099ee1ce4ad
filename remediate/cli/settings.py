"""`remediate.toml`: the same words as the options, without the dashes; flags and environment win over it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from remediate.cli.output import contents
from remediate.model.errors import UsageError

# Names of options as remediate.toml spells them, and the parameters they fill.
KEYS = {
    "bundle": "bundle",
    "domain": "domain",
    "dc": "dc",
    "ca": "ca",
    "connector": "connector",
    "template": "template",
    "intune": "intune",
    "trust": "trust",
    "user": "user",
    "tls": "tls",
    "timeout": "timeout",
    "playbooks": "playbooks",
    "set": "set",
    "override": "override",
    "expires": "expires",
    "window": "window",
    "format": "format",
}
_LISTS = {"bundle", "ca", "connector", "template", "playbooks", "override"}


def defaults(file: str) -> dict[str, Any]:
    """Return the file's values by parameter. Raises UsageError for a file or a key that does not fit."""
    values = _read(file)
    unknown = sorted(set(values) - set(KEYS))
    if unknown:
        raise UsageError(f"{unknown[0]} is not a setting", where=file, do=f"Known: {', '.join(KEYS)}.")
    return {KEYS[name]: _fitting(name, value, file) for name, value in values.items()}


def _read(file: str) -> dict[str, Any]:
    try:
        return tomllib.loads(contents(Path(file)).decode())
    except OSError as error:
        raise UsageError("cannot be read", where=file, why=error.strerror or "", do="Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UsageError("is not TOML", where=file, why=str(error)) from error


def _fitting(name: str, value: Any, file: str) -> Any:
    if name == "set":
        if not isinstance(value, dict):
            raise UsageError("set is a table of NAME = VALUE", where=file)
        return [f"{key}={text}" for key, text in value.items()]
    if name in _LISTS:
        return [value] if isinstance(value, str) else value
    if isinstance(value, list | dict):
        raise UsageError(f"{name} is one value", where=file)
    return value
