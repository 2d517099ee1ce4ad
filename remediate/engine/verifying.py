"""After the window: whether what a plan wrote still stands, and whether its problems are still found.

A value written is not yet a problem solved, so both are asked, and only of what the plan touched. A problem may have
several causes: one that the plan did not mend, or that has appeared since, leaves it there. What cannot be read is told
as that; it is neither a pass nor a problem. Whether a service has restarted since no fact tells: the journal does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from remediate.actions.states import REVISION, before_and_after, holds
from remediate.actions.writing import Writer
from remediate.engine.planning import PlanOptions, make_plan
from remediate.engine.registry import every
from remediate.engine.returned import Standing, owed_on, owed_restarts, restarted
from remediate.engine.side_by_side import by_target
from remediate.facts.documents import Snapshot
from remediate.model.errors import ExitCode, RefusedError, RemediateError
from remediate.model.finding import Finding, Target, Unknown
from remediate.model.journal import JournalLine
from remediate.model.places import PublishingPlace, TemplatePlace
from remediate.model.plan import RESTART, Action, Plan, target_of

OWED = "owed"
"""The state of a restart that a run has not done since it wrote what the restart is for."""
_NOT_TOLD = "no journal tells whether it has restarted since, and a service that runs says nothing of it"
_NOT_DUE = "what it is for does not stand as wanted"


class Verification(msgspec.Struct, frozen=True, kw_only=True):
    """Where every action stands (`as wanted`, `not as wanted`, `not read`; of a restart also `owed`), which of the
    plan's problems are still found, which other causes of them are, and what could not be known; `unknown` are
    sentences. `rollback_of` is the run that the plan undoes: then no problem was looked for, and unless it
    `undoes_rollback` the problem is expected."""

    standing: tuple[Standing, ...]
    still: tuple[Finding, ...] = ()
    others: tuple[Finding, ...] = ()
    unknown: tuple[str, ...] = ()
    rollback_of: str = ""
    undoes_rollback: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """1 when something could not be read or a restart is owed, else 2 when the problem stands, else 0."""
        if self.unknown or any(one.state in ("not read", OWED) for one in self.standing):
            return ExitCode.ERROR
        return ExitCode.FINDINGS if self.is_broken else ExitCode.NOTHING_TO_DO

    @property
    def is_broken(self) -> bool:
        """Whether something was read that is not as wanted, or found again."""
        return bool(self.still or self.others) or any(one.state == "not as wanted" for one in self.standing)


def stands_now(
    plan: Plan,
    writers: Mapping[str, Writer],
    lines: Iterable[JournalLine] | None = None,
    *,
    elsewhere: Mapping[str, str] | None = None,
) -> tuple[Standing, ...]:
    """Read every address of the plan once more. A minor revision only rises and says nothing here.

    A restart is judged by the journal's `lines` and by what was restarted `elsewhere`, as `owed_restarts` has it.
    Without lines all of the plan has just been carried out, its restarts too.
    """
    found = by_target(plan.actions, target_of, lambda action: _standing(action, writers[target_of(action)]))
    if lines is None:
        return found
    journal = tuple(lines)
    owed = {action.id for action in owed_restarts(plan, journal, elsewhere=elsewhere)}
    made_up_for = {action.id for action in owed_restarts(plan, journal)} - owed
    hosts = restarted(plan, journal)
    done = made_up_for | {action.id for action in plan.actions if target_of(action) in hosts}
    return tuple(_restarted(one, found, is_owed=one.action.id in owed, is_done=one.action.id in done) for one in found)


def _restarted(one: Standing, found: Iterable[Standing], *, is_owed: bool, is_done: bool) -> Standing:
    """Where a restart stands whose service runs. What was never written asks for none."""
    if one.action.kind != RESTART or one.state != "as wanted":
        return one
    if is_owed:
        return msgspec.structs.replace(one, state=OWED, detail=owed_on(one.target))
    if is_done:
        return one
    missing = any(
        other.action.restarts and other.target == one.target and other.state == "not as wanted" for other in found
    )
    state, detail = ("not as wanted", _NOT_DUE) if missing else ("not read", _NOT_TOLD)
    return msgspec.structs.replace(one, state=state, detail=detail)


def _standing(action: Action, writer: Writer) -> Standing:
    wanted = {name: value for name, value in before_and_after(action)[1].items() if name != REVISION}
    try:
        now = writer.read(action)
    except RemediateError as error:
        return Standing(action=action, target=target_of(action), state="not read", detail=str(error))
    state = "as wanted" if holds(now, wanted) else "not as wanted"
    return Standing(action=action, target=target_of(action), state=state)


class FoundAgain(msgspec.Struct, frozen=True, kw_only=True):
    """What detection finds afterwards: `still` findings that the plan acted on, `others` causes of the same problems,
    and what could not be read to tell."""

    still: tuple[Finding, ...]
    others: tuple[Finding, ...]
    unknown: tuple[str, ...]


def found_again(plan: Plan, snapshot: Snapshot, folders: tuple[str, ...] = ()) -> FoundAgain:
    """Look again for what the plan acted on, with the shipped playbooks and those of the admin's own `folders`.

    Raises RefusedError when a playbook of the plan is not among them.
    """
    touched = touched_by(plan)
    playbooks = tuple(plan.options.get("playbooks", ())) or tuple(plan.playbooks)
    check_playbooks(plan, folders)
    asked = PlanOptions(playbooks=playbooks, templates=_templates(plan), playbook_folders=folders)
    again = make_plan(snapshot, asked)
    unknown = dict.fromkeys(_sentence(item) for item in again.unknown if item.needed and _decides(item, plan))
    return FoundAgain(
        still=tuple(one for one in again.findings if one.id in touched),
        others=tuple(one for one in again.findings if _is_another_cause(one, plan)),
        unknown=tuple(unknown),
    )


def check_playbooks(plan: Plan, folders: tuple[str, ...]) -> None:
    """Raise RefusedError when a playbook that the plan was made with is not known here, UsageError for no folder."""
    known = {playbook.name for playbook in every(folders)}
    unknown = sorted({*plan.options.get("playbooks", ()), *plan.playbooks} - known)
    if unknown:
        do = "Name the folder that it is in: --playbooks DIR."
        raise RefusedError(f"the plan's playbook {unknown[0]} is not known here, so nobody can look again", do=do)


def touched_by(plan: Plan) -> frozenset[str]:
    """The findings that an action of the plan answers; none for a rollback, which brings problems back on purpose."""
    return frozenset(name for action in plan.actions for name in action.because)


def _decides(item: Unknown, plan: Plan) -> bool:
    """Whether what is unknown could hide a problem that the plan acted on."""
    touched = touched_by(plan)
    if item.playbook:
        return _bears_on(item, plan)
    host = item.target.name.lower()
    changed = any(target_of(action) == host for action in plan.actions)
    return item.target.kind != "connector" or changed or any(host in one.lower() for one in touched)


def _is_another_cause(item: Finding, plan: Plan) -> bool:
    """Whether it leaves a problem there that the plan acted on.

    What the same facts of the same thing show, the plan told already: requests that wait and stay waiting.
    """
    mended = [one for one in plan.findings if one.id in touched_by(plan) and one.playbook == item.playbook]
    shown = {evidence.where for evidence in item.evidence}
    told = any(one.target == item.target and shown <= {each.where for each in one.evidence} for one in mended)
    return item.id not in touched_by(plan) and _bears_on(item, plan) and not (shown and told)


def _bears_on(item: Finding | Unknown, plan: Plan) -> bool:
    """Whether it is about a problem that the plan acted on: the same playbook, and nothing that is another one's.

    What two causes look at may differ (a CA, a template on it); then one bears on the other. Where both look at the
    same kind of thing, it has to be the same thing.
    """
    touched = touched_by(plan)
    mended = [one.target for one in plan.findings if one.id in touched and one.playbook == item.playbook]
    return any(one.kind != item.target.kind or _subject(one) == _subject(item.target) for one in mended)


def _subject(target: Target) -> str:
    """What a cause looks at without that for which, or on which, it does: `IntunePKCS on CA1` is about IntunePKCS."""
    name = target.name.partition(" for ")[0]
    return name.partition(" on ")[0] if target.kind == "template" else name


def _sentence(item: Unknown) -> str:
    code = f" ({item.code})" if item.code and item.code not in item.why else ""
    return f"{item.target.name}: {item.fact}: {item.why}{code}"


def _templates(plan: Plan) -> tuple[str, ...]:
    """The templates that were asked for, and those that the plan changed."""
    changed = {
        action.place.template if isinstance(action.place, PublishingPlace) else action.target.name
        for action in plan.actions
        if isinstance(action.place, TemplatePlace | PublishingPlace)
    }
    return tuple(sorted({*plan.options.get("templates", ()), *changed}))
