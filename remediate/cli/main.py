"""The program `remediate`: finds the verb, and turns every ending into one line and an exit code.

A verb's module is imported when the verb is used, so `remediate --version` reads click and little else.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import click

from remediate import __version__
from remediate.model.errors import ExitCode, RemediateError

_VERBS = {
    "triage": "remediate.cli.triaging:triage",
    "list": "remediate.cli.playbooks:list_playbooks",
    "explain": "remediate.cli.playbooks:explain",
    "run": "remediate.cli.plans:run",
    "plan": "remediate.cli.plans:plan",
    "show": "remediate.cli.plans:show",
    "apply": "remediate.cli.applying:apply",
    "script": "remediate.cli.handover:script",
    "import": "remediate.cli.importing:import_results",
    "verify": "remediate.cli.runs:verify",
    "rollback": "remediate.cli.runs:rollback",
    "runs": "remediate.cli.runs:runs_",
    "collect": "remediate.cli.collecting:collect",
}


class LazyGroup(click.Group):
    """A group whose commands are imported on first use, listed in the order of a first day's work."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the verbs that exist."""
        return list(_VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Return the verb's command, None when there is no such verb."""
        if cmd_name not in _VERBS:
            return None
        module, _, name = _VERBS[cmd_name].partition(":")
        command: click.Command = getattr(importlib.import_module(module), name)
        return command


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(__version__, prog_name="remediate", message="%(prog)s %(version)s")
@click.option(
    "--config",
    envvar="REMEDIATE_CONFIG",
    type=click.Path(dir_okay=False),
    help="Settings instead of ./remediate.toml.",
)
@click.pass_context
def cli(ctx: click.Context, config: str | None) -> None:
    """Find out why Intune PKCS certificates do not arrive, see exactly what would mend it, and have it changed.

    Only `apply`, and `run` without --dry-run, write to a CA, a connector or the directory. Most options may also
    stand in remediate.toml or in REMEDIATE_<OPTION>; a flag wins over the environment, the environment over the file.

    Exit codes: 0 nothing to do; 1 error, or a needed fact is missing; 2 findings; 64 usage; 130 interrupted.
    """
    if config or os.path.exists("remediate.toml"):  # noqa: PTH110 - pathlib is not needed to start
        from remediate.cli.settings import defaults

        ctx.default_map = dict.fromkeys(_VERBS, defaults(config or "remediate.toml"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code. Never raises: every error is one line on stderr.

    Where JSON is asked for, stdout gets the error as a document.
    """
    _open_what_is_closed()
    _escape_what_the_stream_cannot_write()
    try:
        code = _ending(arguments)
        sys.stdout.flush()
    except OSError as error:
        return _output_failed(error)
    return code


def program(arguments: Sequence[str] | None = None) -> None:
    """Run as a program of its own: end the process with the exit code."""
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, interrupting())
    code = main(arguments)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _leave_at_once(code)
    sys.exit(code)


def run_playbook(path: str) -> None:
    """Run one playbook file: `python playbooks/X.py --dry-run` is `remediate run playbooks/X.py --dry-run`."""
    program(["run", path, *sys.argv[1:]])


def _ending(arguments: Sequence[str] | None) -> int:
    given = sys.argv[1:] if arguments is None else arguments
    try:
        result: Any = cli.main(args=arguments, prog_name="remediate", standalone_mode=False)
        return int(result or 0)
    except RemediateError as error:
        _tell(error)
        return _failed(error, given, exit_code=error.exit_code)
    except click.ClickException as error:
        error.show()
        return _failed(RemediateError(error.format_message()), given, exit_code=ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):
        interrupted = RemediateError("interrupted", do="Nothing was changed.")
        _tell(interrupted)
        return _failed(interrupted, given, exit_code=ExitCode.INTERRUPTED)
    except OSError:
        raise
    except Exception as error:
        unexpected = _unexpected(error, given)
        _tell(unexpected)
        return _failed(unexpected, given, exit_code=ExitCode.ERROR)


def _failed(error: RemediateError, arguments: Sequence[str], *, exit_code: ExitCode) -> int:
    """Print the error as a document too where JSON is asked for, and return the exit code."""
    from remediate.cli.failures import write_failure

    write_failure(error, arguments, exit_code=exit_code)
    return int(exit_code)


def _tell(error: RemediateError) -> None:
    from remediate.cli.output import one_line

    click.echo(one_line(f"remediate: {error}"), err=True)


def _unexpected(error: Exception, arguments: Sequence[str]) -> RemediateError:
    """Say what failed and where, without the error's own text, which may hold what must not be shown."""
    writes = {"apply", "run"} & set(arguments)
    changed = "`remediate runs` tells what was changed" if writes else "nothing was changed"
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    place = f"{trace.tb_frame.f_globals.get('__name__')}, line {trace.tb_lineno}" if trace else "an unknown place"
    return RemediateError(
        "something failed that should not",
        why=f"{type(error).__name__} in {place}",
        do=f"Please report this line; {changed}.",
    )


# Seconds in which a second Ctrl-C is the same wish as the first, which is being obeyed already.
_IMPATIENCE = 2.0


def interrupting() -> Callable[[int, Any], None]:
    """Return a handler of SIGINT that interrupts once, so that an impatient second Ctrl-C breaks no tidying."""
    last = [-_IMPATIENCE]

    def interrupt(_number: int, _frame: Any) -> None:
        if monotonic() - last[0] >= _IMPATIENCE:
            last[0] = monotonic()
            raise KeyboardInterrupt

    return interrupt


def _open_what_is_closed() -> None:
    """Give a program that was started without stdout or stderr one that swallows everything."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - until the end


def _escape_what_the_stream_cannot_write() -> None:
    """Make a console of an old code page print `\\u00b7` rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def _output_failed(error: OSError) -> int:
    """Say that a disk is full; end quietly when the program behind a pipe stopped reading."""
    with suppress(OSError):
        if not isinstance(error, BrokenPipeError):
            why = error.strerror or type(error).__name__
            place = str(error.filename or "the output")
            told = RemediateError("it could not be written", where=place, why=why, do="Make room, then run again.")
            _tell(told)
    _forget_what_cannot_be_written()
    return int(ExitCode.ERROR)


def _forget_what_cannot_be_written() -> None:
    """Empty the streams: Python would complain when it flushes them at exit, and end with a code of its own."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _leave_at_once(code: int) -> None:
    """Do not wait for hosts that are still being read: a silent one would hold the prompt until its deadline."""
    if threading.active_count() > 1:
        _forget_what_cannot_be_written()
        os._exit(code)


if __name__ == "__main__":
    program()
