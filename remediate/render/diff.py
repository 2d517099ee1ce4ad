"""The diff people read: problems with their changes, what is refused, what is unknown, and who gains a certificate.

Plain text of at most 120 columns, fit for a ticket; colour is a style per line and is put on for a terminal only.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remediate.model.finding import Finding
from remediate.model.plan import Action, Plan
from remediate.render import reading
from remediate.render.text import Line, beside, wrap

_LABEL = 11
_BODY = " " * (_LABEL + 2)


def diff(plan: Plan, *, digest: str = "", saved: str = "", expired: bool = False) -> Iterator[Line]:
    """Yield the plan as lines. `digest` and `saved` (the plan file) are told at the end where given.

    Nobody is asked to approve what has `expired`.
    """
    yield from _joined(_parts(plan, _next(plan, digest, saved, expired=expired)))


def _parts(plan: Plan, following: Iterable[Line]) -> Iterator[list[Line]]:
    yield list(_heading(plan))
    for block in reading.problems(plan):
        yield list(_problem(block))
    yield [line for action in reading.unattached(plan) for line in _action(action)]
    for refusal in reading.refused(plan):
        yield list(_refused(refusal))
    for missing in reading.not_planned(plan):
        yield list(_not_planned(missing))
    for unknown in reading.unknown(plan, needed=True):
        yield list(_unknown(unknown))
    yield list(_informing(plan))
    yield list(_delta(plan))
    yield list(_notes(plan))
    yield [*wrap(reading.totals(plan), style="title"), *following]


def _joined(parts: Iterable[list[Line]]) -> Iterator[Line]:
    for position, part in enumerate(part for part in parts if part):
        if position:
            yield Line("")
        yield from part


def _heading(plan: Plan) -> Iterator[Line]:
    head = plan.heading or (f"read {plan.created}",)
    yield from beside("Dry run, nothing is written.", head[0], column=120, style="title")
    for line in head[1:]:
        yield from wrap(line, rest="  ")


def _labelled(label: str, text: str, style: str = "plain") -> Iterator[Line]:
    """A line `  label      text`, the text wrapped below itself."""
    return wrap(text, first=f"  {label:<{_LABEL}}", style=style)


def _about(word: str, finding: Finding, style: str) -> Iterator[Line]:
    where = reading.place(finding.target) + (f" · {finding.code}" if finding.code else "")
    yield from beside(f"{word}  {finding.playbook}", where, style=style)
    yield from wrap(finding.message, first="  ")
    for number, evidence in enumerate(finding.evidence):
        yield from _labelled("" if number else "because", f"{evidence.shows}   ({evidence.where})")
    if finding.weak:
        yield from _labelled("weak", finding.weak)


def _problem(block: reading.Block) -> Iterator[Line]:
    finding = block.finding
    yield from _about("PROBLEM", finding, "problem")
    for refusal in block.overridden:
        yield from _labelled("override", f"{refusal.guard}: {refusal.reason}", "refused")
    for action in block.actions:
        yield from _action(action)
    if block.shared:
        yield from _labelled("see", ", ".join(f"{_word(action)} {action.id}" for action in block.shared))
    yield from _advice(finding)


def _advice(finding: Finding) -> Iterator[Line]:
    for advice in finding.advice:
        yield from _labelled("advice", advice)
    if finding.next_playbooks:
        yield from _labelled("run next", ", ".join(finding.next_playbooks))


def _word(action: Action) -> str:
    return "restart" if reading.is_restart(action) else "change"


def _action(action: Action) -> Iterator[Line]:
    yield from wrap(action.label, first=f"  {f'{action.id} {_word(action)}':<{_LABEL}}", style="title")
    if action.address not in action.label:
        yield from wrap(action.address, first=_BODY)
    for line in action.diff:
        yield from _diff_line(line)
    for remark in _remarks(action):
        yield from wrap(remark, first=_BODY, rest=_BODY + "  ", style="muted")


def _diff_line(line: str) -> Iterator[Line]:
    style = {"+": "add", "-": "remove"}.get(line.lstrip()[:1], "plain")
    blanks = len(line) - len(line.lstrip())
    return wrap(line.strip(), first=_BODY + "  " + " " * blanks, rest=_BODY + "    " + " " * blanks, style=style)


def _remarks(action: Action) -> Iterator[str]:
    undo = f"undo: {action.undo}" if action.undo else f"cannot be undone: {action.undo_missing}"
    effect = f"takes effect: {action.takes_effect}" if action.takes_effect else ""
    told = [undo] if action.undo or action.undo_missing else []
    if told or effect:
        yield " · ".join([*told, effect] if effect else told)
    stops = [f"restarts {action.restarts}" if action.restarts else "", action.disruption]
    if any(stops):
        yield " · ".join(stop for stop in stops if stop)
    if action.depends_on:
        yield f"after {', '.join(map(str, action.depends_on))}"
    if action.rights:
        yield f"needs: {action.rights}"


def _refused(block: reading.RefusedBlock) -> Iterator[Line]:
    yield from _once("REFUSED", block.finding, block.refusals[0].finding, repeats=block.repeats)
    for refusal in block.refusals:
        yield from _labelled("refused", f"{refusal.reason}   ({refusal.guard})", "refused")
        if refusal.first:
            yield from _labelled("first", refusal.first)
    if block.finding and not block.repeats:
        yield from _advice(block.finding)


def _not_planned(block: reading.NotPlannedBlock) -> Iterator[Line]:
    yield from _once("NOT PLANNED", block.finding, block.reasons[0].finding, repeats=block.repeats)
    for reason in block.reasons:
        yield from _labelled("missing", reading.missing(reason))
    if block.finding and not block.repeats:
        yield from _advice(block.finding)


def _once(word: str, finding: Finding | None, name: str, *, repeats: bool) -> Iterator[Line]:
    """The finding in full the first time, by its message alone the second."""
    style = "refused" if word == "REFUSED" else "problem"
    if finding is None:
        yield from wrap(f"{word}  {name}", style=style)
    elif repeats:
        yield from beside(f"{word}  {finding.playbook}", reading.place(finding.target), style=style)
        yield from wrap(finding.message, first="  ")
    else:
        yield from _about(word, finding, style)


def _unknown(block: reading.UnknownBlock) -> Iterator[Line]:
    yield from beside(f"UNKNOWN  {_few(block.playbooks)}", reading.place(block.target), style="unknown")
    yield from wrap(_reason(block), first="  ", style="unknown")
    yield from _labelled("not read", ", ".join(block.facts))
    if len(block.playbooks) > 1:
        yield from _labelled("needed by", ", ".join(block.playbooks))


def _few(names: tuple[str, ...]) -> str:
    return names[0] if len(names) == 1 else f"{len(names)} playbooks" if names else "all of it"


def _reason(block: reading.UnknownBlock) -> str:
    code = f" ({block.code})" if block.code and block.code not in block.why else ""
    return f"{block.why}{code}"


def _informing(plan: Plan) -> Iterator[Line]:
    blocks = reading.unknown(plan, needed=False)
    if blocks:
        yield Line("Unknown too; it would only inform, and blocks nothing", "title")
    for block in blocks:
        yield from wrap(f"{block.target.name}: {', '.join(block.facts)}: {_reason(block)}", first="  ", rest="    ")
    if plan.not_asked:
        yield from wrap("; ".join(plan.not_asked), first="Not asked: ", rest="  ")


def _delta(plan: Plan) -> Iterator[Line]:
    yield Line("After this plan, who can obtain a certificate in which name", "title")
    changes = reading.delta(plan)
    width = min(40, max((len(change.obtains.principal) for change in changes), default=0))
    for change in changes:
        sign, style = ("+", "add") if change.gained else ("-", "remove")
        yield from wrap(
            f"{change.obtains.principal:<{width}}   {reading.in_words(change)}", first=f"  {sign} ", style=style
        )
    if not changes:
        yield Line("  as before: nobody gains, nobody loses")


def _notes(plan: Plan) -> Iterator[Line]:
    if plan.notes:
        yield Line("Notes; nothing is changed for them", "title")
    for note in plan.notes:
        yield from wrap(note, first="  ", rest="    ")


def _next(plan: Plan, digest: str, saved: str, *, expired: bool) -> Iterator[Line]:
    if digest and saved:
        approved = "What change control approves:" if plan.complete and not expired else "Its digest:"
        good = "its facts are too old, it expired at" if expired else "good until"
        yield from wrap(f"Plan {saved}, {good} {plan.expires_at}{_window(plan)}. {approved}")
        yield Line(f"  {digest}", "title")
        yield from wrap(f"Read it again: remediate show {saved}")
    elif plan.actions:
        run = plan.options.get("rollback_of")
        saved_by = f"rollback {run} --out back.json" if run else "plan ... --out plan.json"
        yield Line(f"To save and seal it: remediate {saved_by}")
    if not plan.complete:
        yield Line("Next: make what is unknown readable, then plan again.")


def _window(plan: Plan) -> str:
    start = f", not before {plan.not_before}" if plan.not_before else ""
    return start + (f", not after {plan.not_after}" if plan.not_after else "")
