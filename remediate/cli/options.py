"""The options that several verbs share, and what they mean together."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
import msgspec

from remediate.model.errors import UsageError
from remediate.model.utc import utc_text

if TYPE_CHECKING:
    from remediate.transports.credentials import Logon

Command = TypeVar("Command", bound=Callable[..., Any])

# Seconds for one answer of a domain controller, which is quick or down; a host's collector has --timeout, for
# certutil -view over a long queue takes its time.
DIRECTORY_PATIENCE = 15.0


class FactOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Where facts come from: a bundle, or the live estate. With `playbooks` a bundle's logs are read as they say."""

    bundle: tuple[str, ...] = ()
    domain: str = ""
    dc: str = ""
    ca: tuple[str, ...] = ()
    connector: tuple[str, ...] = ()
    intune: str = ""
    trust: str = ""
    user: str = ""
    tls: bool = False
    timeout: int = 120
    playbooks: tuple[str, ...] = ()


# What may not be read is told by whoever reads it, as what is torn or missing is; a `-` is no file to look for.
ANY_PATH = click.Path(readable=False, allow_dash=True)

_OFFLINE = ("bundle",)
_LIVE = ("domain", "dc", "ca", "connector", "user", "tls", "trust")

_CONNECTION = (
    click.option(
        "--trust", default="", type=click.Path(), envvar="REMEDIATE_TRUST", help="PEM of the CA behind LDAPS and HTTPS."
    ),
    click.option("--user", default="", envvar="REMEDIATE_USER", help="NAME@REALM; else the ticket or logon at hand."),
    click.option("--tls", is_flag=True, envvar="REMEDIATE_TLS", help="WinRM over HTTPS (5986)."),
    click.option(
        "--timeout",
        type=click.IntRange(1, 3600),
        default=120,
        show_default=True,
        envvar="REMEDIATE_TIMEOUT",
        metavar="SECONDS",
        help="Live: how long one host may take.",
    ),
)
_ENDPOINT = click.option(
    "--endpoint", default="", envvar="REMEDIATE_ENDPOINT", metavar="NAME", help="The hosts' JEA endpoint of that name."
)
_TARGETS = (
    click.option("--domain", default="", envvar="REMEDIATE_DOMAIN", help="Live: the DNS name of the domain."),
    click.option("--dc", default="", envvar="REMEDIATE_DC", help="Live: this domain controller, by its DNS name."),
    click.option(
        "--ca",
        multiple=True,
        envvar="REMEDIATE_CA",
        metavar="HOST",
        help="Live: a CA host; else as the directory says.",
    ),
    click.option(
        "--connector", multiple=True, envvar="REMEDIATE_CONNECTOR", metavar="HOST", help="Live: a connector host."
    ),
)
_FACTS = (
    click.option("--bundle", multiple=True, type=ANY_PATH, envvar="REMEDIATE_BUNDLE", help="Facts from a bundle."),
    *_TARGETS,
    click.option(
        "--intune", default="", type=ANY_PATH, envvar="REMEDIATE_INTUNE", metavar="DIR", help="Exported profiles."
    ),
    *_CONNECTION,
)
_PLAYBOOKS = click.option(
    "--playbooks", multiple=True, type=ANY_PATH, envvar="REMEDIATE_PLAYBOOKS", help="A folder of your own."
)
_PLANNING = (
    click.option(
        "--template",
        multiple=True,
        envvar="REMEDIATE_TEMPLATE",
        help="A template in scope; else those of the profiles.",
    ),
    _PLAYBOOKS,
    click.option("--set", multiple=True, envvar="REMEDIATE_SET", metavar="NAME=VALUE", help="A fix's parameter."),
    click.option(
        "--override", multiple=True, envvar="REMEDIATE_OVERRIDE", metavar="GUARD", help="Plan what GUARD refuses."
    ),
)
_OUTPUT = (
    click.option(
        "--format",
        type=click.Choice(["text", "md", "json"]),
        default="text",
        envvar="REMEDIATE_FORMAT",
        show_default=True,
    ),
    click.option("--json", "as_json", is_flag=True, help="The same as --format json."),
)


def _with(options: tuple[Callable[[Any], Any], ...]) -> Callable[[Command], Command]:
    def decorate(command: Command) -> Command:
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


fact_options = _with(_FACTS)
connection_options = _with(_CONNECTION)
writing_options = _with((*_CONNECTION, _ENDPOINT, _PLAYBOOKS))
live_log_options = _with((*_TARGETS, *_CONNECTION, _ENDPOINT))
planning_options = _with(_PLANNING)
output_options = _with(_OUTPUT)


def facts_from(context: click.Context) -> FactOptions:
    """Return where facts come from. Raises UsageError for both a bundle and live targets, or neither."""
    check_hosts(context)
    offline, live = strength(context, _OFFLINE), strength(context, _LIVE)
    given = {name: context.params[name] for name in FactOptions.__struct_fields__ if name in context.params}
    if not given["bundle"] and not any(given[name] for name in ("domain", "dc", "ca", "connector")):
        raise UsageError(
            "where the facts come from is not said",
            do="Give --bundle PATH, or --domain NAME and --connector HOST for the live estate.",
        )
    if offline == live == _FLAG:
        raise UsageError("--bundle and live targets are given together", do="Give one of the two.")
    weaker = _LIVE if offline >= live and given["bundle"] else _OFFLINE
    return FactOptions(**{name: value for name, value in given.items() if name not in weaker})


def logon_of(given: Mapping[str, Any]) -> Logon:
    """Return as whom a run with these options connects: the one --user that all of it has."""
    from remediate.transports.credentials import Logon

    return Logon(given["user"], terminal=sys.stdin.isatty())


def trusted(given: str) -> Path | None:
    """Return the PEM file of --trust. Raises UsageError when there is none, before anything is contacted."""
    if not given:
        return None
    if not Path(given).is_file():
        raise UsageError("there is no such file of trusted certificates", where=given)
    return Path(given)


# A DNS name ([RFC 1123] 2.1, letters of any language) or an address of IPv6; neither a URL nor a port.
_HOST = re.compile(r"(?=.{1,253}$)[\w-]{1,63}(\.[\w-]{1,63})*\.?|[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*")


def check_hosts(context: click.Context) -> None:
    """Raise UsageError for what cannot be the name of a host."""
    given = context.params
    named = [(option, given[option]) for option in ("domain", "dc") if given[option]]
    named += [(option, host) for option in ("ca", "connector") for host in given[option]]
    for option, host in named:
        if not _HOST.fullmatch(host):
            raise UsageError(
                f"--{option} {host!r} is not the name of a host", do="Give its full DNS name, without a port."
            )


_FLAG = 3
_STRENGTHS = {"COMMANDLINE": _FLAG, "ENVIRONMENT": 2, "DEFAULT_MAP": 1}


def strength(context: click.Context, names: tuple[str, ...]) -> int:
    """Return how strongly any of the options was asked for: 3 flag, 2 environment, 1 file, 0 not at all."""
    sources = (context.get_parameter_source(name) for name in names if context.params.get(name))
    return max((_STRENGTHS.get(source.name, 0) for source in sources if source), default=0)


def settings_from(pairs: tuple[str, ...]) -> dict[str, str]:
    """Return NAME=VALUE pairs as a mapping. Raises UsageError when one is none or a name stands twice."""
    settings: dict[str, str] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise UsageError(f"--set {pair} is not NAME=VALUE")
        if name.strip() in settings:
            raise UsageError(f"--set {name.strip()} is given twice")
        settings[name.strip()] = value
    return settings


def window_from(text: str) -> tuple[str, str]:
    """Return START/END in UTC, both empty for no window. Raises UsageError for what is no window."""
    if not text:
        return "", ""
    start, slash, end = text.partition("/")
    if not slash:
        raise UsageError(f"--window {text} is not START/END", do="Such as 2026-11-23T20:00Z/2026-11-23T23:00Z.")
    not_before, not_after = _utc(start), _utc(end)
    if not_before >= not_after:
        raise UsageError(f"--window {text} ends before it begins")
    return not_before, not_after


def _utc(text: str) -> str:
    from datetime import datetime

    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise UsageError(f"{text} is not a time", do="Such as 2026-11-23T20:00Z.") from error
    if moment.tzinfo is None:
        raise UsageError(f"{text} does not say its offset from UTC", do="Such as 2026-11-23T20:00Z.")
    return utc_text(moment)
