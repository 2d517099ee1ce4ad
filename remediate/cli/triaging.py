"""`remediate triage`: logs in, of files and of live hosts; symptoms, counts, and the playbook to run for each."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, nullcontext
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from remediate.cli.options import ANY_PATH, check_hosts, live_log_options, logon_of, output_options, strength
from remediate.cli.output import chosen, write_json, write_lines
from remediate.model.errors import RemediateError, UsageError
from remediate.model.utc import utc_text

if TYPE_CHECKING:
    from remediate.cli.live_logs import Live
    from remediate.triage.report import Report
    from remediate.triage.sources import Item, Stream

_Error = TypeVar("_Error", bound=Exception)
_LIVE = "--domain DOMAIN --connector HOST"
_TARGETS = ("domain", "dc", "ca", "connector")
# How strongly something is asked for that stands on the command line; see `strength`.
_NAMED = 3
# Below this many bytes, starting processes costs more than they save.
_WORTH_PROCESSES = 64 << 20


class _Command(click.Command):
    """With --redact, what is said on stderr names nobody either, whatever fails."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the command line. Raises ClickException for what does not fit."""
        given = ("--redact" in args, (ctx.default_map or {}).get("redact"))
        with _telling_nobody() if any(given) else nullcontext():
            return super().parse_args(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command. Raises what it raises."""
        with _telling_nobody() if ctx.params.get("redact") else nullcontext():
            return super().invoke(ctx)


@contextmanager
def _telling_nobody() -> Iterator[None]:
    """Put pseudonyms in place of names in what is raised within."""
    try:
        yield
    except (RemediateError, click.ClickException) as error:
        raise _redacted(error) from None


def _redacted(error: _Error) -> _Error:
    """The same error with pseudonyms in its strings."""
    from copy import copy

    from remediate.triage.redaction import Redactor

    redactor, changed = Redactor(machine_key()), copy(error)
    held = {name: redactor.text(value) for name, value in vars(error).items() if isinstance(value, str)}
    for name, value in held.items():
        setattr(changed, name, value)
    changed.args = tuple(redactor.text(value) if isinstance(value, str) else value for value in error.args)
    return changed


@click.command(cls=_Command)
@click.argument("files", nargs=-1, type=ANY_PATH, metavar="FILE...|-")
@click.option("--bundle", multiple=True, type=ANY_PATH, envvar="REMEDIATE_BUNDLE", help="A bundle and its logs.")
@click.option(
    "--since", default="", metavar="TIME", help="Leave out what is older: 2026-11-20, 2026-11-20T08:00Z, 7d, 12h."
)
@click.option("--zone", default="UTC", show_default=True, envvar="REMEDIATE_ZONE", metavar="ZONE",
              help="The zone of local times, such as Europe/Stockholm or +01:00.")  # fmt: skip
@click.option("--redact", is_flag=True, help="Pseudonyms for users, devices and e-mail addresses.")
@click.option("--jobs", type=click.IntRange(0, 64), default=0, metavar="N", help="Processes that read; else as fits.")
@click.option("--playbooks", multiple=True, type=ANY_PATH, envvar="REMEDIATE_PLAYBOOKS", help="A folder of your own.")
@live_log_options
@output_options
@click.pass_context
def triage(context: click.Context, /, files: tuple[str, ...], bundle: tuple[str, ...], **options: Any) -> int:
    """Read logs, and say which known problems they show and what to run for each.

    Takes files, folders and .zip files: connector logs (.svclog, .evtx), the CA's events, exported events, a device's
    log, or text. A single - is standard input. What a file is, its content says. With --connector, --ca or --domain
    the same of live hosts, which look through their logs themselves; without --since, of the last seven days.

    Exit codes: 0 nothing known was found, 1 something could not be read, 2 a problem was found.
    """
    files, bundle, is_live = _meant(context, files, bundle)
    if not files and not bundle and not is_live:
        do = "Name files or folders, - for standard input, --bundle PATH, or --connector HOST and --ca HOST."
        raise UsageError("there is nothing to read", do=do)
    known_zone = zone_from(options["zone"])
    oldest = since_from(options["since"], now=datetime.now(UTC))
    live = _live(context, since=oldest) if is_live else None
    inputs = tuple(_inputs((*files, *bundle)))
    report = _report(inputs, live, oldest, known_zone, given=context.params)
    _write(report, chosen(options["format"], as_json=options["as_json"]))
    return int(report.exit_code)


def _live(context: click.Context, *, since: str) -> Live:
    from remediate.cli.live_logs import live_from

    check_hosts(context)
    return live_from(context.params, since=since, now=datetime.now(UTC))


def _report(
    inputs: tuple[Path | Stream, ...], live: Live | None, since: str, zone: tzinfo, *, given: dict[str, Any]
) -> Report:
    from remediate.triage.counting import count
    from remediate.triage.signatures import load
    from remediate.triage.sources import read
    from remediate.triage.summary import make_report

    signatures = load(given["playbooks"])
    items: Iterable[Item] = read(
        inputs, signatures.needles, assumed_zone=zone, jobs=given["jobs"] or fitting_jobs(inputs)
    )
    if live:
        from remediate.cli.live_logs import live_items

        items = chain(live_items(live, logon_of(given), signatures, assumed_zone=zone), items)
    report = make_report(
        count(items, signatures, since=since),
        where=_where(given["bundle"], live),
        assumed_zone=given["zone"],
        key=machine_key() if given["redact"] else b"",
    )
    return _with_days(report, live) if live and not since else report


def _with_days(report: Report, live: Live) -> Report:
    """Say how far back hosts were read where nobody said it."""
    from msgspec.structs import replace

    note = f"The hosts' logs were read since {live.since}; --since says another time."
    return replace(report, notes=(*report.notes, note))


def _where(bundle: tuple[str, ...], live: Live | None) -> str:
    """The options by which the next verb reads the same estate."""
    if live:
        from remediate.cli.live_logs import where_of

        return where_of(live.options)
    return " ".join(f"--bundle {shlex.quote(path)}" for path in bundle) or _LIVE


def _meant(
    context: click.Context, files: tuple[str, ...], bundle: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...], bool]:
    """Return what of files, bundles and live hosts is to be read: everything that is named now.

    Where nothing is, what the environment says, else the settings: those say where facts come from.
    """
    given = {"bundle": strength(context, ("bundle",)), "live": strength(context, _TARGETS)}
    strongest = max(_NAMED if files else 0, *given.values())
    meant = {name for name, how in given.items() if how and how == strongest}
    return files, bundle if "bundle" in meant else (), "live" in meant


def _inputs(names: tuple[str, ...]) -> Iterator[Path | Stream]:
    from remediate.triage.sources import Stream

    for name in dict.fromkeys(names):
        yield Stream("standard input", sys.stdin.buffer) if name == "-" else Path(name)


def _write(report: Report, format: str) -> None:
    if format == "json":
        write_json(report)
    elif format == "md":
        from remediate.render.triage_markdown import triage_markdown

        click.echo(triage_markdown(report), nl=False)
    else:
        from remediate.render.triage_text import triage_text

        write_lines(triage_text(report, bars=_shows_bars()))


def _shows_bars() -> bool:
    """Whether stdout is a terminal whose encoding has block characters."""
    try:
        "▁█".encode(sys.stdout.encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return False
    return sys.stdout.isatty()


_AGO = re.compile(r"(\d{1,5})\s*([dhm])")
_UNITS = {"d": "days", "h": "hours", "m": "minutes"}


def since_from(text: str, *, now: datetime) -> str:
    """Return a time (UTC, ISO 8601 with Z) from a date, a time with its offset, or how long ago; empty for none.

    Raises UsageError for what is none of these.
    """
    if not text:
        return ""
    ago = _AGO.fullmatch(text.strip().lower())
    moment = now - timedelta(**{_UNITS[ago[2]]: int(ago[1])}) if ago else _moment(text.strip())
    return utc_text(moment)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"--since {text} is not a time", do="Such as 2026-11-20, 2026-11-20T08:00Z, 7d or 12h."
        ) from error
    if moment.tzinfo is None and len(text) > len("2026-11-20"):
        raise UsageError(f"--since {text} does not say its offset from UTC", do="Such as 2026-11-20T08:00Z.")
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def zone_from(text: str) -> tzinfo:
    """Return a zone by its IANA name or its offset from UTC. Raises UsageError for an unknown one."""
    if text.upper() in ("UTC", "Z"):
        return UTC
    offset = re.fullmatch(r"([+-])(\d\d):?(\d\d)", text)
    if offset:
        minutes = int(offset[2]) * 60 + int(offset[3])
        if minutes < 24 * 60:
            return timezone(timedelta(minutes=-minutes if offset[1] == "-" else minutes))
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(text)
    except (ValueError, OSError, LookupError) as error:
        raise UsageError(
            f"--zone {text} is not known here", do="Give an offset such as +01:00, or a name such as Europe/Stockholm."
        ) from error


def fitting_jobs(inputs: tuple[Path | Stream, ...]) -> int:
    """Return how many processes are worth starting: one, or one for each core where there is much to read."""
    paths = [path for path in inputs if isinstance(path, Path)]
    total = sum(_size(path) for path in paths)
    return (os.cpu_count() or 1) if total >= _WORTH_PROCESSES else 1


def _size(path: Path) -> int:
    """Bytes of a file, or of the files right in a folder and one below; 0 for what cannot be asked."""
    try:
        if path.is_dir():
            return sum(file.stat().st_size for depth in ("*", "*/*") for file in path.glob(depth) if file.is_file())
        return path.stat().st_size
    except OSError:
        return 0


def machine_key() -> bytes:
    """Return a key that stays the same on this machine and is known nowhere else: pseudonyms are made with it.

    It is a hash of the system's own ID (MachineGuid, machine-id(5)), else of a network card's address.
    """
    import uuid
    from hashlib import sha256

    return sha256(b"remediate pseudonyms\0" + (_system_id() or f"{uuid.getnode():012x}").encode()).digest()


def _system_id() -> str:
    if sys.platform == "win32":
        import winreg

        try:
            with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, r"SOFTWARE\Microsoft\Cryptography") as key:
                return str(winreg.QueryValueEx(key, "MachineGuid")[0])
        except OSError:
            return ""
    try:
        return Path("/etc/machine-id").read_text(encoding="ascii").strip()
    except (OSError, ValueError):
        return ""
