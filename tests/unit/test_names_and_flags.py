"""CA names, HRESULTs and flags, against figures of the specifications."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.adcs.ca_name import original, sanitised, sanitised_short
from remediate.adcs.flags import (
    CertificateNameFlag,
    EnrollmentFlag,
    InterfaceFlag,
    RequestDisposition,
    names,
    signed,
    unsigned,
)
from remediate.adcs.hresult import HResult


def test_the_specifications_example_of_a_sanitised_name() -> None:
    assert sanitised("LongCAName(WithSpeci@#$%^Characters") == "LongCAName!0028WithSpeci@!0023$!0025!005eCharacters"


def test_swedish_letters_are_sanitised() -> None:
    assert sanitised("Räksmörgås CA") == "R!00e4ksm!00f6rg!00e5s CA"


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_sanitised_name_reads_back(name: str) -> None:
    assert original(sanitised(name)) == name


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=60))
def test_a_short_name_is_short_and_whole(name: str) -> None:
    short = sanitised_short(name)
    assert len(short) <= 57
    assert short[-6] == "-" and short[-5:].isdigit()
    kept = short[:-6]
    assert sanitised(name).startswith(kept)
    assert "!" not in kept[-4:]


@pytest.mark.parametrize("text", ["0x80094015", "80094015", "0X80094015", "-2146877419", "2148089877"])
def test_every_spelling_of_a_code(text: str) -> None:
    assert str(HResult.parse(text)) == "0x80094015"
    assert HResult.parse(text).name == "CERTSRV_E_NO_POLICY_SERVER"


def test_the_articles_negative_number() -> None:
    assert str(HResult.parse("-2146875374")) == "0x80094812"
    assert HResult.parse("0x80094812").signed == -2146875374


@pytest.mark.parametrize("text", ["", "x", "0x8009401", "99999999999", "submission_pending"])
def test_what_is_no_code(text: str) -> None:
    with pytest.raises(ValueError):
        HResult.parse(text)


def test_the_user_templates_name_flag() -> None:
    flag = CertificateNameFlag(unsigned(-1509949440))
    assert names(flag) == (
        "SUBJECT_ALT_REQUIRE_UPN | SUBJECT_ALT_REQUIRE_EMAIL | SUBJECT_REQUIRE_EMAIL | SUBJECT_REQUIRE_DIRECTORY_PATH"
    )
    assert signed(int(flag)) == -1509949440
    assert flag.supplied_in_the_request() == 1
    assert CertificateNameFlag(int(flag) | 8).supplied_in_the_request() == 9


def test_unknown_bits_are_shown() -> None:
    assert names(EnrollmentFlag(0x40000002)) == "PEND_ALL_REQUESTS | 0x40000000"
    assert names(EnrollmentFlag(0)) == "none"


@pytest.mark.parametrize(
    ("value", "holds", "denies", "asks"),
    [
        (0x1, False, False, False),
        (0x101, True, False, False),
        (0x0, True, False, False),
        (0x2, False, True, False),
        (0x3, False, False, True),
        (0x103, True, False, False),
        (0x7, True, False, False),
    ],
)
def test_request_disposition(value: int, holds: bool, denies: bool, asks: bool) -> None:
    found = RequestDisposition(value)
    assert (found.holds_requests, found.denies_requests, found.leaves_it_to_the_request) == (holds, denies, asks)


def test_the_default_interface_flags_let_connectors_in() -> None:
    assert not InterfaceFlag(0x641).blocks_remote_requests
    assert InterfaceFlag(0x643).blocks_remote_requests
    assert InterfaceFlag(0x649).blocks_remote_requests
