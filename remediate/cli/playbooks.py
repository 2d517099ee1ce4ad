"""`remediate list` and `remediate explain`: what the playbooks know, without looking at any target."""

from __future__ import annotations

import ast
from collections.abc import Iterator

import click

from remediate.cli.codes import TakesCodes
from remediate.cli.options import ANY_PATH
from remediate.cli.output import write_json, write_lines
from remediate.engine.device_logs import DEVICE_LOGS, DeviceLog
from remediate.engine.playbook import Cause, Playbook
from remediate.render.documents import CauseDescription, PlaybookDescription, PlaybooksDocument
from remediate.render.text import Line, wrap

_playbooks_option = click.option(
    "--playbooks", multiple=True, type=ANY_PATH, envvar="REMEDIATE_PLAYBOOKS", help="A folder of your own."
)
_json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")


@click.command("list")
@_playbooks_option
@_json_option
def list_playbooks(playbooks: tuple[str, ...], as_json: bool) -> int:
    """List the playbooks: section, codes, what each reads, whether it can fix and undo."""
    from remediate.engine.registry import find

    found = find((), playbooks)
    if as_json:
        write_json(PlaybooksDocument(playbooks=tuple(map(_described, found))))
    else:
        write_lines(line for playbook in found for line in _listed(playbook))
    return 0


@click.command(cls=TakesCodes)
@click.argument("name")
@_playbooks_option
@_json_option
def explain(name: str, playbooks: tuple[str, ...], as_json: bool) -> int:
    """Explain NAME, a playbook, its file or a code: symptom, evidence, fix, impact, rights, undo, sources.

    At the end: how to collect what a device knows of it (Android, iOS, Windows), and what that can show.
    """
    from remediate.engine.registry import find

    found = find((name,), playbooks)
    if as_json:
        write_json(PlaybooksDocument(playbooks=tuple(map(_described, found)), device_logs=DEVICE_LOGS))
    else:
        write_lines((*(line for playbook in found for line in _explained(playbook)), *_device_logs()))
    return 0


def _described(playbook: Playbook) -> PlaybookDescription:
    meta = playbook.meta
    return PlaybookDescription(
        name=playbook.name,
        title=meta.title,
        section=meta.section,
        codes=meta.codes,
        severity=meta.severity,
        description=_docstring(playbook),
        impact=meta.impact,
        rights=meta.rights,
        disruption=meta.disruption,
        undo=meta.undo,
        parameters=dict(meta.parameters),
        symptoms=meta.symptoms,
        sources=meta.sources,
        causes=tuple(
            CauseDescription(
                name=cause.name, title=cause.title, reads=cause.reads, fixes=cause.fixes, informs=cause.informs
            )
            for cause in playbook.causes
        ),
    )


def _docstring(playbook: Playbook) -> str:
    text = ast.get_docstring(ast.parse(playbook.path.read_bytes())) or ""
    return " ".join(text.split())


def _reads(playbook: Playbook) -> str:
    return ", ".join(dict.fromkeys(fact for cause in playbook.causes for fact in cause.reads))


def _listed(playbook: Playbook) -> Iterator[Line]:
    meta = playbook.meta
    fixes = sum(cause.fixes for cause in playbook.causes)
    can = f"finds {len(playbook.causes)} causes, fixes {fixes}" if fixes else f"finds {len(playbook.causes)} causes"
    yield Line(playbook.name, "title")
    yield from wrap(f"{meta.section}: {meta.title}", first="  ")
    for label, text in (("codes", ", ".join(meta.codes)), ("reads", _reads(playbook)), ("can", can)):
        yield from _labelled(label, text)
    if fixes:
        yield from _labelled("undo", meta.undo)
    yield Line("")


def _explained(playbook: Playbook) -> Iterator[Line]:
    meta = playbook.meta
    yield Line(playbook.name, "title")
    yield from wrap(f"{meta.section}: {meta.title}", first="  ")
    yield from wrap(_docstring(playbook), first="  ")
    for label, text in (("codes", ", ".join(meta.codes)), ("severity", meta.severity)):
        yield from _labelled(label, text)
    yield from _group("Symptoms", meta.symptoms)
    yield from _causes(playbook)
    yield Line("")
    for label, text in (("impact", meta.impact), ("disruption", meta.disruption), ("undo", meta.undo)):
        yield from _labelled(label, text)
    yield from _group("Rights its fix needs", meta.rights)
    yield from _group("Parameters (--set NAME=VALUE)", tuple(f"{k}: {v}" for k, v in meta.parameters.items()))
    yield from _group("Sources", meta.sources)
    yield Line("")


def _causes(playbook: Playbook) -> Iterator[Line]:
    yield Line("")
    yield Line("Causes, and the evidence each needs", "title")
    for cause in playbook.causes:
        yield from wrap(f"{cause.title}{_what_it_does(cause)}", first="  - ")
        yield from wrap(", ".join(cause.reads), first="    reads ")


def _what_it_does(cause: Cause) -> str:
    if cause.fixes:
        return ""
    return "   (told as a note)" if cause.informs else "   (advice only)"


def _device_logs() -> Iterator[Line]:
    yield Line("What a device can tell, and how to collect it", "title")
    for log in DEVICE_LOGS:
        yield from _device_log(log)
    yield Line("")


def _device_log(log: DeviceLog) -> Iterator[Line]:
    yield from wrap(f"{log.platform}: {log.log}", first="  - ")
    for number, step in enumerate(log.collect, start=1):
        yield from wrap(step, first=f"    {number}. ")
    for label, text in (("shows", log.shows), ("limits", log.limits), ("source", log.source)):
        yield from wrap(text, first=f"    {label:<7} ")


def _group(title: str, texts: tuple[str, ...]) -> Iterator[Line]:
    if texts:
        yield Line("")
        yield Line(title, "title")
    for text in texts:
        yield from wrap(text, first="  - ")


def _labelled(label: str, text: str) -> Iterator[Line]:
    return wrap(text, first=f"  {label:<11}") if text else iter(())
