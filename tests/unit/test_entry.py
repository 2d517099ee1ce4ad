"""Attributes of an entry are found whatever the case of their names, texts and octets apart."""

from __future__ import annotations

import pytest

from remediate.facts.documents import Entry, Octets

ENTRY = Entry(
    "CN=x", {"cn": ["x"], "ObjectClass": ["top", "person"], "objectSid": [Octets(b"\x01")], "both": ["a", Octets(b"b")]}
)


@pytest.mark.parametrize("name", ["objectClass", "OBJECTCLASS", "ObjectClass"])
def test_names_have_no_case(name: str) -> None:
    assert ENTRY.texts(name) == ("top", "person")
    assert ENTRY.octets("OBJECTSID") == (b"\x01",)


def test_what_was_not_answered_is_none() -> None:
    assert (ENTRY.texts("mail"), ENTRY.octets("mail")) == ((), ())


def test_texts_and_octets_stay_apart() -> None:
    assert (ENTRY.texts("both"), ENTRY.octets("both")) == (("a",), (b"b",))
    assert (ENTRY.texts("objectSid"), ENTRY.octets("cn")) == ((), ())
