"""The program `remediate`: finds the verb, and turns every ending into one line and an exit code.

A verb's module is imported when the verb is used, so `remediate --version` reads click and little else.
"""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Sequence
from typing import Any

import click

from remediate import __version__
from remediate.model.errors import ExitCode, RemediateError

_VERBS = {
    "list": "remediate.cli.playbooks:list_playbooks",
    "explain": "remediate.cli.playbooks:explain",
    "run": "remediate.cli.plans:run",
    "plan": "remediate.cli.plans:plan",
    "show": "remediate.cli.plans:show",
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
    """Find out why Intune PKCS certificates do not arrive, and see exactly what would mend it.

    Nothing in this version writes to a CA, a connector or the directory. Every option may also stand in
    remediate.toml or in REMEDIATE_<OPTION>; a flag wins over the environment, the environment over the file.

    Exit codes: 0 nothing to do; 1 error, or a needed fact is missing; 2 findings; 64 usage; 130 interrupted.
    """
    if config or os.path.exists("remediate.toml"):  # noqa: PTH110 - pathlib is not needed to start
        from remediate.cli.settings import defaults

        ctx.default_map = dict.fromkeys(_VERBS, defaults(config or "remediate.toml"))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the program and return its exit code. Never raises: every error is one line on stderr."""
    _escape_what_the_stream_cannot_write()
    try:
        code = _ending(arguments)
        sys.stdout.flush()
    except BrokenPipeError:
        return _reader_went_away()
    return code


def program() -> None:
    """Run as a program of its own: end the process with the exit code."""
    code = main()
    if code == ExitCode.INTERRUPTED:
        _leave_at_once(code)
    sys.exit(code)


def run_playbook(path: str) -> None:
    """Run one playbook file: `python playbooks/X.py --dry-run` is `remediate run playbooks/X.py --dry-run`."""
    sys.exit(main(["run", path, *sys.argv[1:]]))


def _ending(arguments: Sequence[str] | None) -> int:
    try:
        result: Any = cli.main(args=arguments, prog_name="remediate", standalone_mode=False)
        return int(result or 0)
    except RemediateError as error:
        click.echo(f"remediate: {error}", err=True)
        return int(error.exit_code)
    except click.ClickException as error:
        error.show()
        return int(ExitCode.USAGE)
    except (KeyboardInterrupt, click.Abort):
        click.echo("remediate: interrupted. Nothing was changed.", err=True)
        return int(ExitCode.INTERRUPTED)


def _escape_what_the_stream_cannot_write() -> None:
    """Make a console of an old code page print `\\u00b7` rather than fail."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure:
            reconfigure(errors="backslashreplace")


def _reader_went_away() -> int:
    """End quietly when the program behind a pipe stopped reading; Python would complain when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return int(ExitCode.ERROR)


def _leave_at_once(code: int) -> None:
    """Do not wait for hosts that are still being read: a silent one would hold the prompt until its deadline."""
    if threading.active_count() > 1:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    program()
