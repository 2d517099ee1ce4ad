"""`remediate triage`: logs in; symptoms, counts, first and last, and the playbook to run for each."""

from __future__ import annotations

import os
import re
import shlex
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import TYPE_CHECKING

import click

from remediate.cli.options import output_options
from remediate.cli.output import chosen, write_json, write_lines
from remediate.model.errors import UsageError
from remediate.model.utc import utc_text

if TYPE_CHECKING:
    from remediate.triage.report import Report
    from remediate.triage.sources import Stream

_LIVE = "--domain DOMAIN --connector HOST"
# Below this many bytes, starting processes costs more than they save.
_WORTH_PROCESSES = 64 << 20


@click.command()
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True), metavar="FILE...|-")
@click.option("--bundle", multiple=True, type=click.Path(), envvar="REMEDIATE_BUNDLE", help="A bundle and its logs.")
@click.option(
    "--since", default="", metavar="TIME", help="Leave out what is older: 2026-11-20, 2026-11-20T08:00Z, 7d, 12h."
)
@click.option("--zone", default="UTC", show_default=True, envvar="REMEDIATE_ZONE", metavar="ZONE",
              help="The zone of local times, such as Europe/Stockholm or +01:00.")  # fmt: skip
@click.option("--redact", is_flag=True, help="Pseudonyms for users, devices and e-mail addresses.")
@click.option("--jobs", type=click.IntRange(0, 64), default=0, metavar="N", help="Processes that read; else as fits.")
@click.option(
    "--playbooks", multiple=True, type=click.Path(), envvar="REMEDIATE_PLAYBOOKS", help="A folder of your own."
)
@output_options
@click.pass_context
def triage(
    context: click.Context,
    /,
    files: tuple[str, ...],
    bundle: tuple[str, ...],
    since: str,
    zone: str,
    redact: bool,
    jobs: int,
    playbooks: tuple[str, ...],
    format: str,
    as_json: bool,
) -> int:
    """Read logs, and say which known problems they show and what to run for each.

    Takes files, folders and .zip files: connector logs (.svclog, .evtx), the CA's events, exported events, a device's
    log, or text. A single - is standard input. What a file is, its content says.

    Exit codes: 0 nothing known was found, 1 something could not be read, 2 a problem was found.
    """
    if not files and not bundle:
        raise UsageError(
            "there is nothing to read", do="Name files or folders, - for standard input, or --bundle PATH."
        )
    known_zone = zone_from(zone)
    oldest = since_from(since, now=datetime.now(UTC))
    where = " ".join(f"--bundle {shlex.quote(path)}" for path in bundle) or _LIVE
    inputs = tuple(_inputs((*files, *(bundle if _is_meant(context) or not files else ()))))
    report = _report(inputs, where, oldest, (zone, known_zone), redact=redact, jobs=jobs, playbooks=playbooks)
    _write(report, chosen(format, as_json=as_json))
    return int(report.exit_code)


def _report(
    inputs: tuple[Path | Stream, ...],
    where: str,
    since: str,
    zone: tuple[str, tzinfo],
    *,
    redact: bool,
    jobs: int,
    playbooks: tuple[str, ...],
) -> Report:
    from remediate.triage.counting import count
    from remediate.triage.signatures import load
    from remediate.triage.sources import read
    from remediate.triage.summary import make_report

    signatures = load(playbooks)
    items = read(inputs, signatures.needles, assumed_zone=zone[1], jobs=jobs or fitting_jobs(inputs))
    fold = count(items, signatures, since=since)
    return make_report(fold, where=where, assumed_zone=zone[0], key=machine_key() if redact else b"")


def _is_meant(context: click.Context) -> bool:
    """Whether --bundle is given now: one of the settings says where facts come from, and files were named instead."""
    source = context.get_parameter_source("bundle")
    return source is not None and source.name == "COMMANDLINE"


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
