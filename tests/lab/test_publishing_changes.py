"""Publishing a template on one CA, and taking it back, by the PowerShell functions."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.contoso import READER
from tests.lab.directory_functions import (
    CHANGING,
    Functions,
    interrupt,
    needs_pwsh,
    template,
)
from tests.lab.estate import Lab

pytestmark = needs_pwsh

PUBLISHED, ABSENT = {"IntunePKCS": "published"}, {"IntunePKCS": None}
PUBLISH = (
    "Set-PublishedTemplate @c -Template IntunePKCS -Before (ConvertTo-Table -From $call.before)"
    " -After (ConvertTo-Table -From $call.after) -Confirm:$false"
)


@pytest.fixture
def functions(fresh_lab: Lab, tmp_path: Path) -> Iterator[Functions]:
    with fresh_lab.domain.restored(template(fresh_lab), fresh_lab.domain.enrollment_service_dn()):
        yield Functions(fresh_lab, tmp_path)


def service_without(lab: Lab) -> str:
    dn = lab.domain.enrollment_service_dn()
    lab.domain.replace(dn, {"certificateTemplates": ["WebServer", "User"]})
    return dn


def published(lab: Lab) -> set[bytes]:
    return set(lab.domain.read(lab.domain.enrollment_service_dn(), "certificateTemplates")["certificateTemplates"])


def test_publish_again_and_take_back(functions: Functions) -> None:
    lab = functions.lab
    dn = service_without(lab)
    start = lab.domain.read(dn)
    test = "Test-PublishedTemplateState @c -Template IntunePKCS -Wanted (ConvertTo-Table -From $call.wanted)"
    assert functions.value(test, dn=dn, wanted=ABSENT) is True
    assert functions.value(PUBLISH, dn=dn, before=ABSENT, after=PUBLISHED) == {"State": PUBLISHED, "Written": True}
    assert published(lab) == {b"WebServer", b"User", b"IntunePKCS"}
    assert functions.value(test, dn=dn, wanted=PUBLISHED) is True
    assert functions.value(PUBLISH, dn=dn, before=ABSENT, after=PUBLISHED) == {"State": PUBLISHED, "Written": False}
    assert len(lab.relay.writes) == 1
    assert functions.value(PUBLISH, dn=dn, before=PUBLISHED, after=ABSENT) == {"State": ABSENT, "Written": True}
    end = lab.domain.read(dn)
    assert {k: sorted(v) for k, v in end.items() if k not in CHANGING} == {
        k: sorted(v) for k, v in start.items() if k not in CHANGING
    }
    assert len(lab.relay.writes) == 2


def test_publishing_where_nothing_is_published(functions: Functions) -> None:
    lab = functions.lab
    dn = lab.domain.enrollment_service_dn()
    lab.domain.replace(dn, {"certificateTemplates": []})
    assert functions.value(PUBLISH, dn=dn, before=ABSENT, after=PUBLISHED) == {"State": PUBLISHED, "Written": True}
    assert published(lab) == {b"IntunePKCS"}


def test_publishing_what_if_and_drift(functions: Functions) -> None:
    lab = functions.lab
    dn = service_without(lab)
    answer = functions.run(PUBLISH + " -WhatIf", dn=dn, before=ABSENT, after=PUBLISHED)
    assert answer.value == {"State": ABSENT, "Written": False}
    for said in ("What if", "IntunePKCS", "certificateTemplates", dn):
        assert said in answer.shown
    drifted = functions.run(PUBLISH, dn=dn, before={"IntunePKCS": "x"}, after=PUBLISHED)
    assert drifted.id == "RemediateDrift"
    refused = functions.run(PUBLISH, dn=template(lab), before=ABSENT, after=PUBLISHED)
    assert "no enrollment service" in refused.error
    assert lab.relay.writes == []


@pytest.mark.parametrize("add", [True, False], ids=["add", "delete"])
def test_publishing_somebody_was_faster(functions: Functions, monkeypatch: pytest.MonkeyPatch, add: bool) -> None:
    lab = functions.lab
    dn = service_without(lab)
    with_it = ["WebServer", "User", "IntunePKCS"]
    before, after = (ABSENT, PUBLISHED) if add else (PUBLISHED, ABSENT)
    if not add:
        lab.domain.replace(dn, {"certificateTemplates": with_it})
    theirs = with_it if add else ["User"]
    interrupt(monkeypatch, lab, "modify", lambda: lab.domain.replace(dn, {"certificateTemplates": theirs}))
    refused = functions.run(PUBLISH, dn=dn, before=before, after=after)
    assert (refused.id, refused.code) == ("RemediateDrift", "LDAP 20" if add else "LDAP 16")
    assert published(lab) == {one.encode() for one in theirs}


def test_publishing_without_the_right(functions: Functions) -> None:
    dn = service_without(functions.lab)
    refused = functions.run(PUBLISH, READER, dn=dn, before=ABSENT, after=PUBLISHED)
    assert (refused.id, refused.code) == ("RemediateFailed", "LDAP 50")
    assert published(functions.lab) == {b"WebServer", b"User"}
