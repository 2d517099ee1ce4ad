"""A failure as one JSON document on stdout, for a program that asked for JSON; people get the line on stderr."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import pairwise

from remediate.cli.output import write_json
from remediate.model.errors import RemediateError
from remediate.render.documents import error_document


def write_failure(error: RemediateError, arguments: Sequence[str], *, exit_code: int) -> None:
    """Write the error to stdout when the arguments, the environment or the settings file ask for JSON."""
    if json_is_asked_for(arguments, os.environ):
        write_json(error_document(error, exit_code=exit_code))


_WITH_FORMAT = {"triage", "run", "plan", "show", "rollback"}


def json_is_asked_for(arguments: Sequence[str], environment: Mapping[str, str]) -> bool:
    """Whether stdout is to be JSON. Reads the arguments itself: they need not parse."""
    if "--json" in arguments:
        return True
    if not _WITH_FORMAT & set(arguments):
        return False
    formats = _values("--format", arguments) or (environment.get("REMEDIATE_FORMAT", ""),)
    return (formats[-1] or _format_of_settings(arguments, environment)) == "json"


def _values(option: str, arguments: Sequence[str]) -> tuple[str, ...]:
    """Return what stands behind an option, as `--option VALUE` or `--option=VALUE`."""
    behind = [following for argument, following in pairwise(arguments) if argument == option]
    return (*behind, *(text.partition("=")[2] for text in arguments if text.startswith(f"{option}=")))


def _format_of_settings(arguments: Sequence[str], environment: Mapping[str, str]) -> str:
    from remediate.cli.settings import defaults

    file = (*_values("--config", arguments), environment.get("REMEDIATE_CONFIG", ""))[0] or "remediate.toml"
    try:
        return str(defaults(file).get("format", ""))
    except RemediateError:
        return ""
