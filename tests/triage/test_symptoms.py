"""What single entries show: codes decide, texts only where no code is, events only where neither is."""

from __future__ import annotations

import io
from collections.abc import Iterator

import pytest

from remediate.triage.records import Record
from remediate.triage.signatures import load
from remediate.triage.sources import Stream, read
from tests.shared import SHARED, needs_shared
from tests.triage.material import CA, CONNECTOR, event, line, names, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("COMException (0x800706BA): CCertRequest::Submit 0x800706ba (WIN32: 1722)", ["rpc_server_unavailable"]),
        ("RPC-servern är inte tillgänglig. 0x800706ba", ["rpc_server_unavailable"]),
        ("Der RPC-Server ist nicht verfügbar. 0x800706ba (WIN32: 1722)", ["rpc_server_unavailable"]),
        ("CCertRequest::Submit: RPC-servern är inte tillgänglig.", ["rpc_server_unavailable"]),
        ("COMException (0x80094015): no policy server", ["enrollment_policy_server_missing"]),
        ("Det går inte att hitta en registreringsprincipserver", ["enrollment_policy_server_missing"]),
        ("Ein Registrierungsrichtlinienserver wurde nicht gefunden.", ["enrollment_policy_server_missing"]),
        ("IssuePfx - The submission is pending: Taken Under Submission", ["submission_pending"]),
        ("IssuePfx - Sändningen väntar", ["submission_pending"]),
        ("IssuePfx - Die Übermittlung steht aus", ["submission_pending"]),
        ("Submit: The parameter is incorrect. 0x80070057 (WIN32: 87)", ["parameter_incorrect"]),
        ("Parametern är felaktig. 0x80070057", ["parameter_incorrect"]),
        ("Der Parameter ist falsch. 0x80070057", ["parameter_incorrect"]),
        ("IssuePfx - The submission failed: Denied by Policy Module", ["denied_by_policy_module"]),
        ("IssuePfx - The submission failed", ["denied_by_policy_module"]),
        ("Det inte gick att skicka in: Nekad av principmodulen", ["denied_by_policy_module"]),
        ("Übermittlung fehlgeschlagen: Verweigert vom Richtlinienmodul", ["denied_by_policy_module"]),
        ("it needs mail. 0x80094812 (-2146875374 CERTSRV_E_SUBJECT_EMAIL_REQUIRED)", ["subject_email_required"]),
        ("Fel – 2146875374 CERTSRV_E_SUBJECT_EMAIL_REQUIRED", ["subject_email_required"]),
        ("COMException (0x80094800): not supported by this CA", ["template_not_published"]),
        ("0x80094012", ["template_denied"]),
        ("0x80094011", ["enroll_denied"]),
        ("0x80094014", ["denied_by_administrator"]),
        ("0x80094809", ["signatures_required"]),
        ("0x8009480A", ["signatures_required"]),
        ("0x8009480D", ["subject_name_required"]),
        ("An Authority Key Identifier was passed as part of certificate request 12.", ["event_128"]),
        ("Anforderung 7: es wurde eine Stellenschlüsselkennung weitergegeben.", ["event_128"]),
        ("Issuing Pfx certificate for Device ID 5b1c failed", ["certificate_not_issued"]),
        ("DENIED BY POLICY MODULE", ["denied_by_policy_module"]),
        ("The RPC server is unavailable.", []),
        ("CertUtil: The parameter is incorrect.", []),
        ("Certificate enrollment succeeded", []),
        ("", []),
    ],
)
def test_a_line_shows(text: str, expected: list[str]) -> None:
    assert names(text) == expected


def test_three_codes_are_three_symptoms_and_one_code_twice_is_one() -> None:
    text = "0x800706BA then -2147024809 then 80094800, and again 0x800706ba"
    assert names(text) == ["rpc_server_unavailable", "parameter_incorrect", "template_not_published"]


def test_the_code_decides_over_denied_by_policy_module() -> None:
    text = "denied request 7 because it needs mail. 0x80094812. Additional information: Denied by Policy Module"
    assert names(text) == ["subject_email_required"]
    denial = event(53, provider=CA, Reason="0x80094812", AdditionalInformation="Denied by Policy Module")
    assert names(denial) == ["subject_email_required"]


def test_a_warning_is_not_a_problem() -> None:
    assert [symptom.kind for symptom in shown(event(128, provider=CA))] == ["warning"]


def test_an_unknown_code_is_shown_and_decides_over_a_text() -> None:
    (symptom,) = shown("Denied by Policy Module 0x80094811 (-2146875375 CERTSRV_E_KEY_LENGTH)")
    assert (symptom.kind, symptom.signature, symptom.code) == ("unknown", "", "0x80094811")


def test_a_code_of_dotnet_only_wraps_the_reason() -> None:
    assert names("InvalidOperationException 0x80131509: Denied by Policy Module") == [
        "0x80131509",
        "denied_by_policy_module",
    ]
    assert names("InvalidOperationException 0x80131509: 0x80094012") == ["0x80131509", "template_denied"]


@pytest.mark.parametrize(
    ("event_id", "place", "expected"),
    [
        (128, {"provider": CA, "channel": "Application"}, "event_128"),
        (53, {"provider": CA}, "denied_by_policy_module"),
        (7, {"provider": CA}, "denied_by_policy_module"),
        (8, {"provider": CA.upper()}, "submission_pending"),
        (6, {"provider": CA}, "issued"),
        (1001, {"channel": f"{CONNECTOR}/Admin"}, "certificate_not_issued"),
        (1052, {"channel": f"{CONNECTOR}/Operational"}, "certificate_not_issued"),
        (1051, {"provider": CONNECTOR}, "certificate_not_issued"),
        (1050, {"channel": f"{CONNECTOR}/Operational"}, "issued"),
        (1000, {"channel": f"{CONNECTOR}/Admin"}, "issued"),
        (1003, {"channel": f"{CONNECTOR}/Operational"}, "intune_out_of_reach"),
        (20102, {"channel": "Microsoft Intune Connector"}, "certificate_not_issued"),
        (20100, {"channel": "Microsoft Intune Connector"}, "issued"),
        (128, {"provider": "Somebody else"}, None),
        (1050, {"channel": "Application"}, None),
    ],
)
def test_an_event_without_code_and_text_shows(event_id: int, place: dict[str, str], expected: str | None) -> None:
    assert names(event(event_id, **place)) == ([expected] if expected else [])


def test_what_a_failed_request_names_decides_over_its_event() -> None:
    admin = f"{CONNECTOR}/Admin"
    assert names(event(1001, channel=admin, text="Denied by Policy Module")) == ["denied_by_policy_module"]
    assert names(event(1001, channel=admin, Message="HRESULT -2147023174")) == ["rpc_server_unavailable"]
    assert names(event(1050, channel=f"{CONNECTOR}/Operational", Detail="after 0x800706BA")) == ["issued"]


def test_an_event_that_is_routine_shows_nothing_whatever_stands_in_it() -> None:
    assert names(event(1020, provider=CONNECTOR, text="0x800706BA")) == []
    assert names(event(1020, provider="Somebody else", text="0x800706BA")) == ["rpc_server_unavailable"]


def test_a_code_that_is_no_failure_counts_in_its_own_events_only() -> None:
    text = "PkcsCertIssue_Failure, diagnostic code 0x00000400"
    assert names(event(20102, channel="Microsoft Intune Connector", text=text)) == ["ca_unavailable_to_connector"]
    assert names(text) == []


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("0x00000400", "ca_unavailable_to_connector"),
        ("0x00000401", "symantec_certificate_missing"),
        ("0x401", "symantec_certificate_missing"),
        ("0x402", "revocation_denied"),
        ("0x403", "connector_certificate"),
        ("0X405", "connector_certificate"),
        ("0x0FFFFFFF", "connector_unknown_error"),
        ("0xFFFFFFF", "connector_unknown_error"),
        ("0x4030", "certificate_not_issued"),
        ("a0x403", "certificate_not_issued"),
        ("403", "certificate_not_issued"),
    ],
)
def test_diagnostic_codes_of_the_older_connector_are_told_apart(code: str, expected: str) -> None:
    assert names(event(20102, channel="Microsoft Intune Connector", Code=code)) == [expected]
    assert names(event(1051, channel="Application", Code=code)) == []


def test_a_code_in_64_bits_is_the_same_code() -> None:
    assert names("0xffffffff80094812 and 0x0000000080094812") == ["subject_email_required"]


def test_every_text_of_every_signature_is_found_in_any_case() -> None:
    for one in load().all:
        for text in one.every_text:
            assert one.id in names(text), text
            assert one.id in names(f"x {text.upper()} y"), text


def test_every_code_of_every_signature_is_found() -> None:
    for one in load().all:
        for code in one.hresults:
            if code.is_failure:
                assert names(f"x {code.signed} y") == names(f"x {code} y") == [one.id]


def _samples() -> Iterator[str]:
    """The lines between the fences of the article."""
    article = next((SHARED / "seeds").glob("*.txt")) if SHARED else None
    inside = False
    for text in article.read_text(encoding="utf-8").splitlines() if article else ():
        inside = inside ^ text.startswith("```")
        if inside and not text.startswith("```"):
            yield text


@needs_shared
def test_every_line_of_the_articles_samples_is_classified() -> None:
    classified = [(names(text), text) for text in _samples()]
    found = [name for named, _ in classified for name in named]
    assert found == [
        "rpc_server_unavailable", "parameter_incorrect", "template_not_published", "event_128",
        "enrollment_policy_server_missing", "submission_pending", "submission_pending", "parameter_incorrect",
        "denied_by_policy_module", "denied_by_policy_module", "certificate_not_issued", "subject_email_required",
    ]  # fmt: skip
    rest = [text for named, text in classified if not named]
    assert all(
        text.split(":")[0].strip().split(" ")[0] in {"Log", "Source", "Event", "Level", "Details", "at"}
        for text in rest
    )


@needs_shared
def test_the_articles_headings_are_classified_by_code_or_translated_text() -> None:
    assert SHARED
    article = next((SHARED / "seeds").glob("*.txt")).read_text(encoding="utf-8")
    headings = [text for text in article.splitlines() if text.startswith("- [") and "](#" in text]
    shown_by = [names(text.partition("](")[0]) for text in headings]
    assert [names for names in shown_by if names] == [
        ["rpc_server_unavailable"], ["enrollment_policy_server_missing"], ["submission_pending"],
        ["parameter_incorrect"],
        ["denied_by_policy_module"], ["subject_email_required"],
    ]  # fmt: skip


@needs_shared
def test_both_records_of_event_128_in_the_material_are_found() -> None:
    assert SHARED
    text = (SHARED / "material" / "logs" / "ca_event_128_lab_records.txt").read_text(encoding="utf-8")
    assert [names(part) for part in text.splitlines()].count(["event_128"]) == 2


@needs_shared
def test_a_foreign_svclog_shows_nothing() -> None:
    assert SHARED
    text = (SHARED / "material" / "logs" / "svclog_mbam_real_fragment.svclog").read_text(encoding="utf-8")
    assert names(line(text)) == []


def _shown_whole(text: str) -> list[str]:
    """What a text shows that is pasted as a whole, in the order of its lines."""
    signatures = load()
    items = read([Stream("-", io.BytesIO(text.encode()))], signatures.needles, jobs=1)
    return [name for item in items if isinstance(item, Record) for name in names(item)]


PASTED = f"""# Certificates do not arrive

- RPC-servern är inte tillgänglig 0x800706ba
- Fel \u2212 2146875374

```
IssuePfx - COMException: System.Runtime.InteropServices.COMException (0x800706BA): CCertRequest::Submit
CCertRequest::Submit: The parameter is incorrect. 0x80070057 (WIN32: 87)
```

On the CA:

```
Log Name: Application:
Source: {CA}
Event ID: 128
Level: Warning
Details:
An Authority Key Identifier was passed as part of the certificate request 9. Run certutil to allow it.
```

COMException (0x80094015): an enrollment policy server cannot be located.

```
InvalidOperationException: IssuePfx - The submission is pending: Taken Under Submission
   at Microsoft.Management.Services.IssuePfx()
IssuePfx - The submission failed: Denied by Policy Module
Log Name: Application
Source: {CA}
Event ID: 53
Details: denied request 10, it needs mail. 0x80094812. Additional information: Denied by Policy Module

Issuing Pfx certificate for Device ID <Device ID> failed
COMException (0x80094800): not supported
```
"""


def test_every_line_of_a_text_pasted_as_a_whole_is_classified() -> None:
    assert _shown_whole(PASTED) == [
        "rpc_server_unavailable", "subject_email_required", "rpc_server_unavailable", "parameter_incorrect",
        "event_128", "enrollment_policy_server_missing", "submission_pending", "denied_by_policy_module",
        "subject_email_required", "certificate_not_issued", "template_not_published",
    ]  # fmt: skip


@needs_shared
def test_the_article_pasted_as_a_whole_shows_what_its_lines_show() -> None:
    assert SHARED
    article = next((SHARED / "seeds").glob("*.txt")).read_text(encoding="utf-8")
    assert _shown_whole(article) == [name for text in article.splitlines() for name in names(text)]
