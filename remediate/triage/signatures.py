"""What a problem looks like in a log, as data: one small TOML file for each, in `signatures` beside the playbooks.

A signature is checked when it is read: every code, text and event belongs to one signature, and its playbook exists.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypeVar

import msgspec

from remediate.adcs.hresult import HResult
from remediate.model.errors import DocumentError, UsageError
from remediate.shipped import files_in, playbooks_folder
from remediate.triage.needles import Needles

FOLDER = "signatures"

Kind = Literal["problem", "warning", "consequence", "success", "routine"]
# Nobody looks for help with these.
_WITHOUT_PLAYBOOK = ("success", "routine")
Key = TypeVar("Key", int, str, tuple[str, int])


class Events(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Events of a channel or of a provider. What does not decide only says where a code that is no failure counts."""

    ids: tuple[int, ...]
    channel: str = ""
    provider: str = ""
    decides: bool = True

    @property
    def keys(self) -> tuple[tuple[str, int], ...]:
        """(channel or provider, ID) of each, in small letters."""
        return tuple((place.lower(), number) for place in (self.channel, self.provider) if place for number in self.ids)


class Signature(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What one problem looks like, what it means, and which playbook knows it.

    A code decides (any spelling), a text only where no code stands, an event where neither does; so `texts`, by
    language, are such as nothing else says. A `warning` is weak by itself; a `consequence` is logged beside a problem
    and does not say which; a `success` is what a request that went well leaves, and `routine` what shows nothing, even
    where a code stands in it.
    """

    id: str
    title: str
    meaning: str
    sources: tuple[str, ...]
    kind: Kind = "problem"
    playbook: str = ""
    codes: tuple[str, ...] = ()
    texts: Mapping[str, tuple[str, ...]] = {}
    events: tuple[Events, ...] = ()

    @property
    def hresults(self) -> tuple[HResult, ...]:
        """The codes as numbers."""
        return tuple(map(HResult.parse, self.codes))

    @property
    def every_text(self) -> tuple[str, ...]:
        """The texts of all languages."""
        return tuple(text for texts in self.texts.values() for text in texts)


class Signatures(msgspec.Struct, frozen=True):
    """All signatures, in the order of their IDs, to be looked up by what a record holds.

    `no_failures` are the codes that count though they are none.
    """

    all: tuple[Signature, ...]
    by_code: Mapping[int, Signature]
    by_text: Mapping[str, Signature]
    by_event: Mapping[tuple[str, int], Signature]
    events_of: Mapping[str, frozenset[tuple[str, int]]]
    no_failures: frozenset[int]

    def __getitem__(self, id: str) -> Signature:
        return next(one for one in self.all if one.id == id)

    @property
    def needles(self) -> Needles:
        """What a reader has to look for."""
        texts = {text for one in self.all for text in one.every_text}
        routine = {key for one in self.all if one.kind == "routine" for key in _events_of(one)}
        events = {key for one in self.all if one.kind != "routine" for key in _events_of(one)}
        return Needles(
            codes=frozenset(self.by_code), texts=frozenset(texts), event_ids=frozenset(events),
            routine=frozenset(routine),
        )  # fmt: skip


@lru_cache(maxsize=8)
def load(folders: tuple[str, ...] = ()) -> Signatures:
    """Return the signatures that are shipped and those of the admin's own folders of playbooks.

    Raises DocumentError for a file that is none, that says what another says already, or whose playbook is not there.
    """
    places = (playbooks_folder(), *map(Path, folders))
    playbooks = {path.stem for place in places for path in files_in(place, "*.py")}
    files = sorted((path for place in places for path in _files_of(place)), key=lambda path: path.stem)
    return _together([_read(file, playbooks) for file in files])


def _files_of(place: Path) -> tuple[Path, ...]:
    try:
        return files_in(place / FOLDER, "*.toml")
    except UsageError:
        return ()  # a folder of playbooks need not have signatures


def _read(file: Path, playbooks: Iterable[str]) -> Signature:
    try:
        read = msgspec.toml.decode(file.read_bytes(), type=Signature)
    except (msgspec.DecodeError, UnicodeDecodeError, OSError) as error:
        raise DocumentError("this is not a signature", where=str(file), why=str(error)) from None
    wrong = "".join(_wrong(read, file.stem, playbooks))
    if wrong:
        raise DocumentError("the signature cannot be used", where=str(file), why=wrong)
    return read


def _wrong(signature: Signature, stem: str, playbooks: Iterable[str]) -> Iterator[str]:
    """Yield the first thing that is wrong with it."""
    if signature.id != stem:
        yield f"its id {signature.id!r} is not the name of its file"
    elif signature.kind not in _WITHOUT_PLAYBOOK and signature.playbook not in playbooks:
        yield f"there is no playbook {signature.playbook!r}"
    elif not (signature.codes or signature.texts or any(event.decides for event in signature.events)):
        yield "it has neither a code nor a text nor an event"
    elif any(not text.strip() for text in signature.every_text):
        yield "one of its texts is empty, which stands everywhere"
    else:
        yield from _wrong_code(signature)


def _wrong_code(signature: Signature) -> Iterator[str]:
    for text in signature.codes:
        try:
            code = HResult.parse(text)
        except ValueError as error:
            yield str(error)
            return
        if not code.is_failure and not signature.events:
            yield f"{text} is no failed HRESULT: say by its events where it counts"
            return


def _together(read: list[Signature]) -> Signatures:
    codes: dict[int, Signature] = {}
    texts: dict[str, Signature] = {}
    events: dict[tuple[str, int], Signature] = {}
    for one in read:
        _claim(codes, one.hresults, one)
        _claim(texts, (text.lower() for text in one.every_text), one)
        _claim(events, (key for event in one.events if event.decides for key in event.keys), one)
    _check_ids(read)
    where = {one.id: frozenset(key for event in one.events for key in event.keys) for one in read}
    no_failures = frozenset(code for code in codes if not HResult(code).is_failure)
    return Signatures(tuple(read), codes, texts, events, where, no_failures)


def _check_ids(read: list[Signature]) -> None:
    ids = [one.id for one in read]
    twice = next((one for one in ids if ids.count(one) > 1), "")
    if twice:
        raise DocumentError("two signatures have this id", where=twice, do="Give one of them another name.")


def _claim(claimed: dict[Key, Signature], keys: Iterable[Key], owner: Signature) -> None:
    for key in keys:
        if claimed.setdefault(key, owner).id != owner.id:
            shown = HResult(key) if isinstance(key, int) else key
            raise DocumentError(
                f"two signatures claim {shown}", where=f"{claimed[key].id}, {owner.id}", do="Take it out of one."
            )


def _events_of(signature: Signature) -> Iterator[tuple[str, int]]:
    """(channel or provider, ID) of each event, as they are written."""
    for event in signature.events:
        yield from ((place, number) for place in (event.channel, event.provider) if place for number in event.ids)
