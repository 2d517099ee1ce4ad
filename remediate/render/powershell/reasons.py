"""What a script is for, from the plan alone: the problems that were found, and which of its changes mends each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from remediate.model.finding import Finding
from remediate.model.plan import Action, Plan
from remediate.render.powershell.paragraphs import Told
from remediate.render.reading import place

_ROLLBACK = "rollback_of"


def reasons(plan: Plan, actions: Iterable[Action], *, evidence: bool) -> Iterator[Told]:
    """Yield why these actions are there; nothing for a plan that does not say. `evidence` adds what showed it."""
    found = _found(plan, actions)
    if _ROLLBACK in plan.options:
        yield Told(f"It takes back what run {plan.options[_ROLLBACK]} changed.")
    elif found:
        yield Told("Certificates that Intune hands out (PKCS) do not arrive, or will not. What was found:")
    for finding, numbers in found:
        yield Told(f"{finding.message} Mended by {_changes(numbers)}.")
        yield Told(f"{_subject(finding)}; remediate calls it {finding.playbook}", 3)
        for one in finding.evidence if evidence else ():
            yield Told(f"seen at {one.where}: {one.shows}", 3)
        if finding.weak:
            yield Told(f"not certain: {finding.weak}", 3)


def _found(plan: Plan, actions: Iterable[Action]) -> list[tuple[Finding, list[int]]]:
    """The findings that these actions answer, in the order of the actions, with the actions' numbers."""
    by_id = {finding.id: finding for finding in plan.findings}
    numbers: dict[str, list[int]] = {}
    for action in actions:
        for name in action.because:
            numbers.setdefault(name, []).append(action.id)
    return [(by_id[name], of) for name, of in numbers.items() if name in by_id]


def _subject(finding: Finding) -> str:
    subject = place(finding.target)
    return f"{finding.code}, {subject}" if finding.code else subject


def _changes(numbers: list[int]) -> str:
    return f"change{'s' if len(numbers) > 1 else ''} {', '.join(map(str, numbers))}"
