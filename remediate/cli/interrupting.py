"""Ctrl-C while a plan is carried out: it stops between two actions, never inside one."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import click

from remediate.cli.output import one_line
from remediate.model.journal import JournalLine
from remediate.model.plan import Plan


class Watch:
    """Lets Ctrl-C stop a run between two actions, never inside one; a second one says what is unresolved meanwhile."""

    def __init__(self, plan: Plan) -> None:
        self._plan, self._presses, self._begun = plan, 0, set[int]()
        self.has_begun = False

    def asked(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self._presses > 0

    def recording(self, append: Callable[[JournalLine], None]) -> Callable[[JournalLine], None]:
        """Return what journals a line, and remembers which action has begun and not ended."""

        def record(line: JournalLine) -> None:
            append(line)
            self.has_begun |= line.event == "begin"
            (self._begun.add if line.event == "begin" else self._begun.discard)(line.action)

        return record

    @contextmanager
    def between_actions(self) -> Iterator[None]:
        """Take SIGINT for a block."""
        former = signal.signal(signal.SIGINT, self._interrupted)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, former)

    def _interrupted(self, _number: int, _frame: Any) -> None:
        self._presses += 1
        under_way = [f"{one.id}. {one.label}" for one in self._plan.actions if one.id in self._begun]
        if self._presses == 1:
            told = "it stops when this action has ended" if under_way else "it stops before the next action"
        else:
            told = (
                f"unresolved until it has ended: {'; '.join(under_way)}"
                if under_way
                else "nothing is unresolved; it stops"
            )
        click.echo(one_line(f"remediate: {told}"), err=True)
