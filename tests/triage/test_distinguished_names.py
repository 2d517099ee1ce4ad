"""Distinguished names are found in free text, whole."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.triage.distinguished_names import common_name, spans


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("CN=Anna Svensson", "Anna Svensson"),
        (r"CN=Svensson\, Anna, OU=X", "Svensson, Anna"),
        (r'{"subject":"CN=Svensson\\, Anna, OU=X"}', "Svensson, Anna"),
        ('CN="Öberg, Åsa", OU=X', "Öberg, Åsa"),
        (r'"subject":"CN=\"Öberg, Åsa\", OU=X"', "Öberg, Åsa"),
        ('"CN=""Öberg, Åsa"", OU=X"', "Öberg, Åsa"),
        ("<Data>CN=&quot;Öberg, Åsa&quot;, OU=X</Data>", "Öberg, Åsa"),
        ("The request was for CN=” Common Name”.  Additional information: Denied", "Common Name"),
        ("The request was for CN=Åsa B. Öberg.  Additional information: Denied", "Åsa B. Öberg"),
        ("The request was for CN=Å. Öberg. Additional information: Denied", "Å. Öberg"),
        ("The request was for CN=Dr. Öberg. Additional information: Denied", "Dr. Öberg"),
        ("The request was for CN=Bo. Additional information: Denied", "Bo"),
        ("CN=Åsa O'Brien, OU=X", "Åsa O'Brien"),
        ("for 'CN=Anna Svensson' it failed", "Anna Svensson"),
        ("CN = Åsa Öberg\r\nOU = X", "Åsa Öberg"),
        (r"CN=\C3\96berg, OU=X", "Öberg"),
        ("cn=anna.svensson.se, ou=x", "anna.svensson.se"),
        ("OU=X+UID=aobe123+CN=Åsa", "Åsa"),
        ("/O=Contoso/CN=Åsa Öberg/OU=X", "Åsa Öberg"),
        ("CN=Anna Svensson 0x80094812 failed", "Anna Svensson"),
        ("CN=Anna User: bob", "Anna"),
        ("(CN=Anna)", "Anna"),
        ("CN=Contoso (2) CA, O=X", "Contoso (2) CA"),
        ("2.5.4.3=Anna, O=X", "Anna"),
        ("CN=, OU=X", None),
        ("nothing of the kind", None),
        ("ACN=Anna", None),
    ],
)
def test_the_common_name_is_whole(text: str, name: str | None) -> None:
    assert common_name(text) == name


def _parts(text: str) -> list[tuple[str, str]]:
    return [(kind, text[start:end]) for start, end, kind in spans(text)]


def test_every_type_is_told_with_its_value() -> None:
    text = r"Subject: G=Åsa, SN=Öberg+UID=aobe123, E=asa@contoso.com, OID.1.2.840.113549.1.9.1=x, street=A 1; T=b (0x1)"
    assert _parts(text) == [
        ("G", "Åsa"), ("SN", "Öberg"), ("UID", "aobe123"), ("E", "asa@contoso.com"), ("1.2.840.113549.1.9.1", "x"),
        ("STREET", "A 1"), ("T", "b (0x1)"),
    ]  # fmt: skip


def test_quotes_and_blanks_are_outside_and_escapes_inside() -> None:
    assert _parts(r'x CN=" Öberg, Åsa " , OU=a\, b.') == [("CN", "Öberg, Åsa"), ("OU", r"a\, b")]


def test_a_single_letter_alone_is_no_name() -> None:
    assert _parts("E=mc2 and C=1") == []
    assert _parts("C=1, CN=Anna") == [("C", "1"), ("CN", "Anna")]


def test_several_names_in_one_text() -> None:
    assert _parts("CN=Anna, OU=Xy. Then CN=Per failed") == [("CN", "Anna"), ("OU", "Xy"), ("CN", "Per failed")]


@given(st.text("CN=OU,;+/\\\"'“. \n\t:x0()[]{}&quot;Åé-", max_size=200))
def test_any_text_has_spans_in_order(text: str) -> None:
    ends = [place for start, end, _ in spans(text) for place in (start, end)]
    assert ends == sorted(ends)
    assert all(text[start:end].strip() for start, end, _ in spans(text))


_NAME = st.text("abcÅö,+\"\\;<>= '#", min_size=1, max_size=12).filter(lambda name: name == name.strip())


@given(_NAME)
def test_an_escaped_name_comes_back(name: str) -> None:
    """As RFC 4514 section 2.4 writes it, with hex pairs for what is special."""
    written = "".join(f"\\{ord(one):02x}" if one in ",+\"\\;<>= '#" else one for one in name)
    assert common_name(f"CN={written},OU=x") == name


@pytest.mark.parametrize(
    "text", ["CN=" * 60_000, "CN=(" * 40_000, 'CN="' * 40_000, "CN=a" + " " * 200_000, "C=a,b" * 40_000, "C=" * 90_000]
)
def test_hostile_text_costs_little(text: str) -> None:
    began = time.process_time()
    assert sum(1 for _ in spans(text)) >= 0
    assert time.process_time() - began < 3
