"""What triage found as Markdown, for a ticket. Every foreign string is escaped: no log can add a link or a column."""

from __future__ import annotations

from collections.abc import Iterator

from remediate.render.markdown import code, escape
from remediate.render.triage_text import hit, named, nothing_found, plural, read_line, span, told_of_times, totals
from remediate.triage.report import Problem, Report


def triage_markdown(report: Report) -> str:
    """Return the report as Markdown."""
    told = escape(" ".join((read_line(report), *told_of_times(report))))
    sections = ["# remediate triage", f"**{escape(totals(report))}**", told, _table(report)]
    sections += ["\n".join(_problem(problem)) for problem in report.problems]
    sections += ["\n".join(_unread(report)), "\n".join(_sources(report))]
    return "\n\n".join(filter(None, sections)) + "\n"


def _table(report: Report) -> str:
    if not report.problems:
        return nothing_found(report)
    rows = [
        (escape(one.title), code(one.code) if one.code else "", f"{one.count:,}", one.first, one.last,
         f"{one.devices:,}" if one.devices else "", code(one.command))
        for one in report.problems
    ]  # fmt: skip
    head = ("Problem", "Code", "Count", "First", "Last", "Devices", "Run next")
    return "\n".join(_row(cells) for cells in (head, ("---",) * len(head), *rows))


def _row(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(cells)} |"


def _problem(problem: Problem) -> Iterator[str]:
    shown = f" {code(problem.code)} {escape(problem.name)}" if problem.code else ""
    yield f"## {escape(problem.title)}{shown}".rstrip()
    yield ""
    yield escape(problem.meaning)
    yield ""
    when = span(problem.first, problem.last)
    seen = " · ".join(filter(None, (plural(problem.count, "time"), when, hit(problem), named(problem))))
    yield f"- seen: {escape(seen)}"
    for proof in problem.proof:
        place = f"{proof.source}:{proof.position}" if proof.position else proof.source
        yield f"- proof: {code(' '.join(filter(None, (proof.when, proof.text))))} ({escape(place)})"
    for note in problem.notes:
        yield f"- note: {escape(note)}"
    yield f"- next: {code(problem.command)}"


def _unread(report: Report) -> Iterator[str]:
    if report.unread:
        yield "## Not read, or not as it should be\n"
    for one in report.unread:
        place = f" at {one.position}" if one.position else ""
        yield f"- {escape(one.source)}{place}: {escape(one.what)}"


def _sources(report: Report) -> Iterator[str]:
    yield "## Read\n"
    yield _row(("Source", "Kind", "Records", "First", "Last", "Times in"))
    yield _row(("---",) * 6)
    for one in report.sources:
        zones = escape(", ".join(one.zones))
        yield _row((escape(one.source), escape(one.kind), f"{one.scanned:,}", one.first, one.last, zones))
