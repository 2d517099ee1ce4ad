"""A plan is sealed by its digest: nobody edits it unseen, and no secret gets into it."""

from __future__ import annotations

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remediate.cli.sealed_plan import unsealed
from remediate.model.errors import DocumentError, ExitCode
from remediate.model.finding import Finding, Target, Unknown
from remediate.model.places import RegistryPlace
from remediate.model.plan import Action, Plan, PlanEdited, RegistryState, TemplateState, canonical, digest, seal, unseal
from remediate.model.secret import Secret, SecretNotSerialisable

ACTION = Action(
    id=1,
    kind="ca_registry_value",
    target=Target("ca", "Contoso Issuing CA"),
    place=RegistryPlace("ca01.contoso.test", "HKLM\\...", "RequestDisposition", "policy\\RequestDisposition"),
    address="ca01 HKLM\\...\\RequestDisposition",
    label="RequestDisposition absent -> 0x1",
    before=RegistryState("REG_DWORD"),
    after=RegistryState("REG_DWORD", 1),
    diff=("- absent", "+ 0x1"),
    because=("submission_pending/x/y",),
)
PLAN = Plan(
    format_version="1.0",
    remediate="0.1.0",
    playbooks={"submission_pending": "1"},
    options={"templates": ["IntunePKCS"]},
    created="2026-11-23T09:12:00Z",
    expires_at="2026-11-30T09:12:00Z",
    complete=True,
    actions=(ACTION,),
)


def test_a_sealed_plan_reads_back() -> None:
    assert unseal(seal(PLAN), where="plan.json") == (PLAN, digest(PLAN))


def test_a_mark_of_utf_8_is_none_of_the_content() -> None:
    """Notepad and Windows PowerShell put one at the beginning of what they save."""
    assert unseal(b"\xef\xbb\xbf" + seal(PLAN), where="plan.json") == (PLAN, digest(PLAN))
    with pytest.raises(PlanEdited):
        unseal(b"\xef\xbb\xbf" + seal(PLAN).replace(b"true", b"false"), where="plan.json")
    assert unsealed(b"\xef\xbb\xbf" + seal(PLAN), where="plan.json").text == seal(PLAN)


def test_bytes_survive() -> None:
    state = TemplateState({"msPKI-Template-Minor-Revision": 4}, b"\x01\x00\xff")
    plan = msgspec.structs.replace(PLAN, actions=(msgspec.structs.replace(ACTION, before=state),))
    assert unseal(seal(plan), where="plan.json")[0].actions[0].before == state


def test_absent_is_not_zero() -> None:
    zero = msgspec.structs.replace(ACTION, before=RegistryState("REG_DWORD", 0))
    assert digest(msgspec.structs.replace(PLAN, actions=(zero,))) != digest(PLAN)


@pytest.mark.parametrize("member", ["complete", "created", "actions", "somebody_elses"])
def test_every_property_is_sealed(member: str) -> None:
    body = json.loads(seal(PLAN))
    body[member] = [] if member == "actions" else "changed"
    with pytest.raises(PlanEdited) as caught:
        unseal(json.dumps(body).encode(), where="plan.json")
    assert caught.value.exit_code is ExitCode.REFUSED
    assert "plan.json" in str(caught.value)


def test_an_unknown_property_of_a_newer_minor_version_is_ignored() -> None:
    body = json.loads(canonical(PLAN)) | {"format_version": "1.9", "colour": "green"}
    import hashlib

    sealed = {"plan_id": hashlib.sha256(canonical(body)).hexdigest(), **body}
    plan, _ = unseal(json.dumps(sealed).encode(), where="plan.json")
    assert plan.format_version == "1.9"


@pytest.mark.parametrize("text", [b"", b"[]", b"null", b"{", b'{"plan_id": 1}', b'{"format_version": "1.0"}'])
def test_what_is_no_plan_is_refused_by_name(text: bytes) -> None:
    with pytest.raises(DocumentError, match=r"plan\.json"):
        unseal(text, where="plan.json")


def test_a_newer_major_version_is_refused() -> None:
    body = json.loads(seal(PLAN)) | {"format_version": "2.0"}
    with pytest.raises(DocumentError, match=r"2\.0"):
        unseal(json.dumps(body).encode(), where="plan.json")


def test_a_secret_cannot_be_serialised() -> None:
    with pytest.raises(SecretNotSerialisable):
        seal(msgspec.structs.replace(PLAN, options={"password": Secret("hemligt")}))
    assert "hemligt" not in repr(Secret("hemligt")) + str(Secret("hemligt"))


@given(st.permutations(["b", "a", "c", "å"]))
def test_order_of_properties_does_not_matter(names: list[str]) -> None:
    ordered = msgspec.structs.replace(PLAN, options={name: name for name in names})
    assert digest(ordered) == digest(msgspec.structs.replace(PLAN, options={name: name for name in sorted(names)}))


def test_exit_codes() -> None:
    target = Target("ca", "x")
    finding = Finding(id="a/b/c", playbook="a", cause="b", target=target, message="m")
    unknown = Unknown(playbook="a", cause="b", target=target, fact="f", why="w")
    assert PLAN.exit_code is ExitCode.NOTHING_TO_DO
    assert msgspec.structs.replace(PLAN, findings=(finding,)).exit_code is ExitCode.FINDINGS
    incomplete = msgspec.structs.replace(PLAN, findings=(finding,), complete=False, unknown=(unknown,))
    assert incomplete.exit_code is ExitCode.ERROR
