"""What is looked for in logs: HRESULTs in any spelling, literal texts and events.

A reader passes over every record in which nothing of this stands, so that a large log costs little more than a search.
It may let a record through that holds none (a spelling inside a longer number); whoever judges records looks again.
"""

from __future__ import annotations

import msgspec


class Needles(msgspec.Struct, frozen=True, kw_only=True):
    """What the caller looks for; a record that holds any of it comes through.

    `codes` are unsigned 32-bit numbers. Those with the highest bit unset (`0x00000400` of the older connector) are
    found only when they are named here; everything that looks like a failed HRESULT (`0x8.......`, `-214.......`, or
    eight digits without `0x` that are named here) comes through unasked, known or not.
    `texts` are literal and found in the case they are given in, and in lower and upper case.
    `event_ids` are (provider or channel, event id); an empty first part stands for any provider. They apply to records
    that have an event id. `everything` lets all records through.
    """

    codes: frozenset[int] = frozenset()
    texts: frozenset[str] = frozenset()
    event_ids: frozenset[tuple[str, int]] = frozenset()
    everything: bool = False
