"""A plan as Markdown for a change ticket: the same blocks as the diff, in tables.

Every foreign string is escaped, so a template's name cannot add a link, a column or HTML to a ticket.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from remediate.model.finding import Evidence, Finding
from remediate.model.plan import Action, Plan
from remediate.render import reading
from remediate.render.text import visible

# ASCII punctuation that CommonMark 0.31 section 2.4 lets a backslash escape and that means something inside a line.
_MEANING = re.compile(r"([\\`*_{}\[\]<>|#~&])")


def escape(text: str) -> str:
    """Return the text so that Markdown shows it as it stands."""
    return _MEANING.sub(r"\\\1", visible(text))


def code(text: str) -> str:
    """Return the text as a code span, longer fenced than any run of backticks in it; safe in a table."""
    shown = visible(text).replace("|", "\\|")
    fence = "`" * (max((len(run) for run in re.findall(r"`+", shown)), default=0) + 1)
    blank = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{blank}{shown}{blank}{fence}"


def markdown(plan: Plan, *, digest: str = "") -> str:
    """Return the plan as Markdown. `digest` is what change control approves."""
    sections = [
        _heading(plan, digest),
        _section("Problems", (line for block in reading.problems(plan) for line in _problem(block))),
        _section("Changes", _changes(plan)),
        _section("Refused", _refused(plan)),
        _section("Not planned", _not_planned(plan)),
        _section("Unknown", _unknown(plan)),
        _section("After this plan, who can obtain a certificate in which name", _delta(plan)),
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def _heading(plan: Plan, digest: str) -> str:
    rows = [
        ("Digest to approve" if plan.complete else "Digest", code(digest) if digest else ""),
        ("Read", escape(plan.created)),
        ("Good until", escape(plan.expires_at)),
        ("Not before", escape(plan.not_before)),
        ("Not after", escape(plan.not_after)),
        ("Made by", escape(f"remediate {plan.remediate}")),
    ]
    told = "\n\n".join(escape(line) for line in plan.heading)
    facts = table(("Plan", ""), ((name, value) for name, value in rows if value))
    return "\n\n".join(part for part in ("# remediate plan", told, f"**{reading.totals(plan)}**", facts) if part)


def _section(title: str, lines: Iterable[str]) -> str:
    body = "\n".join(lines).strip("\n")
    return f"## {title}\n\n{body}" if body else ""


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table of cells that are escaped already, empty without rows."""
    body = [f"| {' | '.join(row)} |" for row in rows]
    return "\n".join([f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *body]) if body else ""


def _problem(block: reading.Block) -> Iterator[str]:
    finding = block.finding
    yield from _finding(finding)
    numbers = [str(action.id) for action in (*block.actions, *block.shared)]
    if numbers:
        yield f"- changes: {', '.join(numbers)}"
    for refusal in block.overridden:
        yield f"- **override {escape(refusal.guard)}**: {escape(refusal.reason)}"
    yield from _advice(finding)


def _finding(finding: Finding) -> Iterator[str]:
    where = reading.place(finding.target) + (f", {finding.code}" if finding.code else "")
    yield ""
    yield f"### {escape(finding.playbook)}: {escape(where)}"
    yield ""
    yield escape(finding.message)
    yield ""
    yield from (f"- because {_evidence(evidence)}" for evidence in finding.evidence)
    if finding.weak:
        yield f"- weak: {escape(finding.weak)}"


def _evidence(evidence: Evidence) -> str:
    return f"{escape(evidence.shows)} ({escape(evidence.where)})"


def _advice(finding: Finding) -> Iterator[str]:
    yield from (f"- advice: {escape(advice)}" for advice in finding.advice)
    if finding.next_playbooks:
        yield f"- run next: {', '.join(code(name) for name in finding.next_playbooks)}"


def _changes(plan: Plan) -> Iterator[str]:
    rows = (
        (
            str(action.id),
            f"{escape(action.label)}<br>{code(action.address)}",
            "<br>".join(code(line) for line in action.diff),
            escape(action.undo or f"cannot be undone: {action.undo_missing}"),
            _effect(action),
        )
        for action in plan.actions
    )
    yield table(("No.", "What", "Diff", "Undo", "Effect"), rows)


def _effect(action: Action) -> str:
    parts = [
        f"takes effect: {action.takes_effect}" if action.takes_effect else "",
        f"restarts {action.restarts}" if action.restarts else "",
        action.disruption,
        f"after {', '.join(map(str, action.depends_on))}" if action.depends_on else "",
        f"needs: {action.rights}" if action.rights else "",
    ]
    return "<br>".join(escape(part) for part in parts if part)


def _refused(plan: Plan) -> Iterator[str]:
    for block in reading.refused(plan):
        yield from _once(block.finding, block.refusals[0].finding, repeats=block.repeats)
        for refusal in block.refusals:
            yield f"- refused by {escape(refusal.guard)}: {escape(refusal.reason)}"
            if refusal.first:
                yield f"- first: {escape(refusal.first)}"
        if block.finding and not block.repeats:
            yield from _advice(block.finding)


def _not_planned(plan: Plan) -> Iterator[str]:
    for block in reading.not_planned(plan):
        yield from _once(block.finding, block.reasons[0].finding, repeats=block.repeats)
        yield from (f"- missing: {escape(reading.missing(reason))}" for reason in block.reasons)
        if block.finding and not block.repeats:
            yield from _advice(block.finding)


def _once(finding: Finding | None, name: str, *, repeats: bool) -> Iterator[str]:
    if finding is None or repeats:
        yield f"\n### {escape(name)}\n"
    else:
        yield from _finding(finding)


def _unknown(plan: Plan) -> Iterator[str]:
    for needed in (True, False):
        rows = (
            (
                escape(reading.place(block.target)),
                escape(", ".join(block.facts)),
                escape(f"{block.why} {block.code}".strip()),
                escape(", ".join(block.playbooks)) if needed else "only informs",
            )
            for block in reading.unknown(plan, needed=needed)
        )
        found = table(("Where", "Not read", "Why", "Needed by"), rows)
        if found:
            yield found + "\n"
    if plan.not_asked:
        yield f"Not asked: {escape('; '.join(plan.not_asked))}"


def _delta(plan: Plan) -> Iterator[str]:
    rows = [
        ("gains" if change.gained else "loses", escape(change.obtains.principal), escape(reading.in_words(change)))
        for change in reading.delta(plan)
    ]
    yield table(("", "Who", "What"), rows) or "As before: nobody gains, nobody loses."
    if plan.notes:
        yield "\n## Notes; nothing is changed for them\n"
        yield from (f"- {escape(note)}" for note in plan.notes)
