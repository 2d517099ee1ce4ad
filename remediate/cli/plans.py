"""`remediate run --dry-run`, `plan` and `show`: the diff on stdout, the sealed plan in a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from remediate.cli.codes import TakesCodes
from remediate.cli.options import (
    fact_options,
    facts_from,
    logon_of,
    output_options,
    planning_options,
    settings_from,
    window_from,
)
from remediate.cli.output import check_place, chosen, contents, save, write_plan
from remediate.model.errors import DocumentError, RefusedError, UsageError
from remediate.model.plan import Plan, PlanEdited, digest, seal, unseal
from remediate.model.utc import utc_now

if TYPE_CHECKING:
    from remediate.cli.facts import Facts
    from remediate.engine.planning import PlanOptions
    from remediate.facts.documents import Snapshot
    from remediate.transports.credentials import Logon


@click.command(cls=TakesCodes)
@click.argument("names", nargs=-1, metavar="[NAME|CODE|FILE]...")
@click.option("--dry-run", is_flag=True, help="Detect and print the diff; writes nothing.")
@click.option("--all", "every", is_flag=True, help="Every playbook, as without a name.")
@click.option("--ticket", default="", envvar="REMEDIATE_TICKET", help="The change's number, kept with the approval.")
@click.option("--approved-by", default="", envvar="REMEDIATE_APPROVED_BY", help="Who approved it; kept too.")
@click.option("--runs", type=click.Path(file_okay=False), envvar="REMEDIATE_RUNS", help="Where runs are kept.")
@fact_options
@planning_options
@output_options
@click.pass_context
def run(context: click.Context, /, names: tuple[str, ...], dry_run: bool, every: bool, **options: Any) -> int:
    """Detect, and print what would change. Takes playbooks, codes such as 0x80094015, or files.

    Without --dry-run the same diff, then a question, then it is applied: on a terminal, to the live estate.

    Exit codes: 0 nothing to do, or applied and verified; 1 a needed fact is missing; 2 findings; 3 refused, nothing
    written; 4 stopped part-way; 5 written and the problem is still there.
    """
    if not dry_run:
        _refuse_without_a_person(context, format=chosen(options["format"], as_json=options["as_json"]))
    plan_options = _options(_meant(names, every=every), options)
    logon = logon_of(context.params)
    with _facts(context, logon) as found:
        made = _planned(found.snapshot, plan_options)
        rights = found.rights(made)
    write_plan(made, format=chosen(options["format"], as_json=options["as_json"]), rights=rights)
    if dry_run or not made.complete or not made.actions:
        return int(made.exit_code)
    return _asked_and_applied(made, context.params, logon=logon)


def _refuse_without_a_person(context: click.Context, *, format: str) -> None:
    """Raise RefusedError where nobody can be asked, and UsageError for what cannot be written to or be read there."""
    if facts_from(context).bundle:
        raise UsageError("a bundle cannot be changed", do="Give --dry-run, or read the live estate.")
    if format == "json":
        do = "Give --dry-run; or `remediate plan --json --out`, then `remediate apply --json`."
        raise UsageError("who is asked reads a diff, and not JSON", do=do)
    if not sys.stdin.isatty() or not sys.stdout.isatty():
        do = "Make a plan with --out, have its digest approved, then `remediate apply`. Or give --dry-run."
        raise RefusedError("nobody can be asked here, so nothing is applied", do=do)


def _asked_and_applied(made: Plan, given: dict[str, Any], *, logon: Logon) -> int:
    """Ask for the plan's digest, and apply it when it is typed."""
    from remediate.cli.applying import apply_sealed
    from remediate.cli.approvals import Approval
    from remediate.cli.sealed_plan import Sealed

    sealed = Sealed(made, seal(made), digest(made), "this plan")
    click.echo(f"Digest {sealed.digest}", err=True)
    typed = _typed("Type its first 12 digits to apply it now: ")
    given_at = utc_now()
    by = given["approved_by"] or "typed at the terminal"
    approval = Approval(digest=typed, ticket=given["ticket"], approved_by=by, given_at=given_at)
    return apply_sealed(sealed, approval, given, logon=logon, runs=given["runs"])


def _typed(question: str) -> str:
    """Ask a question; raises click.Abort on Ctrl-C."""
    # Written apart: a Ctrl-C that comes while `input` writes its prompt would be seen only after the next key.
    click.echo(question, nl=False, err=True)
    return str(click.prompt("", prompt_suffix="", default="", show_default=False, err=True))


@click.command(cls=TakesCodes)
@click.argument("names", nargs=-1, metavar="[NAME|CODE|FILE]...")
@click.option("--all", "every", is_flag=True, help="Every playbook.")
@click.option("--out", type=click.Path(dir_okay=False), help="Where the sealed plan is saved.")
@click.option("--keep-facts", type=click.Path(), metavar="BUNDLE", help="Save the facts the plan was made from.")
@click.option("--expires", type=click.IntRange(1, 365), default=7, show_default=True, envvar="REMEDIATE_EXPIRES",
              metavar="DAYS", help="Days until the plan expires.")  # fmt: skip
@click.option("--window", default="", envvar="REMEDIATE_WINDOW", metavar="START/END", help="When it may be applied.")
@fact_options
@planning_options
@output_options
@click.pass_context
def plan(
    context: click.Context,
    /,
    names: tuple[str, ...],
    every: bool,
    out: str | None,
    keep_facts: str | None,
    **options: Any,
) -> int:
    """Make a sealed plan, and print its diff and the digest to approve.

    Of a live estate it also tells which of the rights that the plan takes the present account has, and which it lacks.

    Exit codes: 0 nothing to do, 1 a needed fact is missing, 2 findings.
    """
    if not names and not every:
        raise UsageError("no playbook is named", do="Name one, or give --all.")
    plan_options = _options(_meant(names, every=every), options)
    _check_places(out, keep_facts)
    with _facts(context, logon_of(context.params)) as found:
        _keep(found.snapshot, keep_facts)
        made = _planned(found.snapshot, plan_options)
        rights = found.rights(made)
    if out:
        save(Path(out), seal(made))
        _tell_expired(made, out)
    write_plan(made, format=chosen(options["format"], as_json=options["as_json"]), saved=out or "", rights=rights)
    return int(made.exit_code)


def _keep(snapshot: Snapshot, place: str | None) -> None:
    if place:
        from remediate.transports.bundle import write_bundle

        write_bundle(snapshot, Path(place))


@click.command()
@click.argument("file", type=click.Path(dir_okay=False))
@output_options
def show(file: str, format: str, as_json: bool) -> int:
    """Read a plan FILE again; also an expired one.

    Exit codes: 0 nothing to do, 1 unreadable or a needed fact is missing, 2 findings.
    """
    read = read_plan(Path(file))
    _tell_expired(read, file)
    write_plan(read, format=chosen(format, as_json=as_json), saved=file)
    return int(read.exit_code)


def _tell_expired(plan: Plan, file: str) -> None:
    if plan.expires_at < utc_now():
        click.echo(f"remediate: {file} expired at {plan.expires_at}; it can be read, not applied.", err=True)


def read_plan(path: Path) -> Plan:
    """Return the plan of a file. Raises DocumentError, also for a plan that was edited: reading refuses nothing."""
    try:
        return unseal(contents(path), where=str(path))[0]
    except OSError as error:
        why = error.strerror or ""
        raise DocumentError("cannot be read", where=str(path), why=why, do="Check the path.") from error
    except PlanEdited as error:
        raise DocumentError(error.what, where=error.where, why=error.why, do=error.do) from error
    except DocumentError as error:
        raise _no_plan(error) from error


def _no_plan(error: DocumentError) -> DocumentError:
    """Say what to do, and why only where that is about the file: other words are Python's."""
    why = error.why if isinstance(error.__cause__, msgspec.MsgspecError) else ""
    do = error.do or "Name the file that `remediate plan --out` wrote; if it is that one, copy it again."
    return DocumentError(error.what, where=error.where, why=why or (error.why if error.do else ""), do=do)


def _check_places(out: str | None, keep_facts: str | None) -> None:
    check_place(out)
    if keep_facts:
        from remediate.transports.bundle import check_bundle_place

        check_bundle_place(Path(keep_facts))


def _meant(names: tuple[str, ...], *, every: bool) -> tuple[str, ...]:
    if names and every:
        raise UsageError("--all and names are given together", do="Give one of the two.")
    return names


def _options(names: tuple[str, ...], options: dict[str, Any]) -> PlanOptions:
    from remediate.engine.planning import PlanOptions
    from remediate.engine.registry import find

    find(names, options["playbooks"])  # an unknown name is told before anything is read
    not_before, not_after = window_from(options.get("window", ""))
    return PlanOptions(
        playbooks=names,
        templates=options["template"],
        settings=settings_from(options["set"]),
        overrides=options["override"],
        expires_days=options.get("expires", 7),
        not_before=not_before,
        not_after=not_after,
        playbook_folders=options["playbooks"],
    )


@contextmanager
def _facts(context: click.Context, logon: Logon) -> Iterator[Facts]:
    from remediate.cli.collecting import tell_failures
    from remediate.cli.facts import opened_facts

    with opened_facts(facts_from(context), logon) as found:
        tell_failures(found.snapshot)
        yield found


def _planned(snapshot: Snapshot, options: PlanOptions) -> Plan:
    from remediate.engine.planning import make_plan

    return make_plan(snapshot, options)
