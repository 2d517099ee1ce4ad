"""A redacted report holds no user, device or address; it counts what the other counts, and names stay apart."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediate.render.text import as_text
from remediate.render.triage_markdown import triage_markdown
from remediate.render.triage_text import triage_text
from remediate.triage.counting import count
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.redaction import Redactor
from remediate.triage.signatures import load
from remediate.triage.summary import make_report
from tests.triage.material import CA, CONNECTOR, DEVICE, Item, event, line, report

KEY = b"a key of the tests"


@pytest.mark.parametrize(
    ("text", "secrets", "stays"),
    [
        ("mail to Anna.Ek@contoso.test failed", ["Anna.Ek", "contoso.test"], "mail to"),
        ("åsa.öberg@bücher.example", ["åsa", "öberg"], ""),
        (f"Device ID {DEVICE}1 failed", [f"{DEVICE}1"], "failed"),
        ("Device ID: IMEI356938035643809 failed", ["356938035643809"], "failed"),
        ("Serial number: C02XK0ZAJGH5, model", ["C02XK0ZAJGH5"], "model"),
        (r"The request was for CONTOSO\anna.ek. More", ["anna.ek"], "CONTOSO"),
        (r"C:\Users\Anna Ek\AppData\log.txt", ["Anna Ek"], "AppData"),
        ("/home/annaek/logs/x.svclog", ["annaek"], "x.svclog"),
        ("S-1-5-21-1004336348-1177238915-682003330-512", ["1004336348"], ""),
        ("The request was for CN=” Anna Ek”.  Additional", ["Anna"], "Additional"),
        ("CN=Anna Ek, OU=Staff; more", ["Anna"], "OU=Staff"),
        ("User Name: Anna Ek; CA Name: Contoso CA", ["Anna"], "Contoso CA"),
        ("UPN = anna", ["anna"], "UPN"),
    ],
)
def test_personal_names_are_known_by_their_shape(text: str, secrets: list[str], stays: str) -> None:
    shown = Redactor(KEY).text(text)
    assert not [secret for secret in secrets if secret.lower() in shown.lower()]
    assert stays in shown
    assert Redactor(KEY).text(shown) == shown


@pytest.mark.parametrize(
    "text",
    [
        r'run: "certutil -setreg ca\UseDefinedCACertInRequest 1" and then restart',
        r"HKLM\SOFTWARE\Microsoft\MicrosoftIntune\PFXCertificateConnector",
        r"%ProgramFiles%\Microsoft Intune\PfxRequest\Failed",
        "System.Runtime.InteropServices.COMException (0x800706BA): CCertRequest::Submit",
        "CA Name: Contoso Issuing CA; Template: IntunePKCS",
        "thumbprint 00112233445566778899AABBCCDDEEFF00112233",
        "denied request 146 because",
    ],
)
def test_what_is_not_personal_stays(text: str) -> None:
    assert Redactor(KEY).text(text) == text


def test_a_pseudonym_is_stable_blind_to_case_and_bound_to_its_key() -> None:
    one, other = Redactor(KEY), Redactor(b"another")
    assert one.pseudonym("Anna", "user") == Redactor(KEY).pseudonym("ANNA", "user")
    assert one.pseudonym("Anna", "user") != one.pseudonym("Bo", "user")
    assert one.pseudonym("Anna", "user") != other.pseudonym("Anna", "user")
    assert one.text(f"Device ID {DEVICE}1").endswith(one.pseudonym(f"{DEVICE}1", "device"))


def test_a_known_name_is_replaced_where_nothing_tells_its_shape() -> None:
    made = report([line("0x80094012 User: annaek; and annaek again")], key=KEY)
    assert "annaek" not in made.problems[0].proof[0].text


def _items(user: str, device: str) -> list[Item]:
    admin, mail = f"{CONNECTOR}/Admin", f"{user}@contoso.test"
    home = f"/home/{user}/logs/NDESConnector.svclog"
    return [
        line(f"0x800706BA for {mail} on Device ID {device}", when="2026-11-02T10:00:00Z", source=home),
        line(f"Issuing Pfx certificate for Device ID {device} failed", when="2026-11-02T10:00:01Z", source=home),
        event(1001, channel=admin, text="Denied by Policy Module", when="2026-11-02T11:00:00Z", record_id="1",
              DeviceId=device, UserPrincipalName=mail, UserName=user),
        event(53, provider=CA, record_id="2", Reason="0x80094812", SubjectName=f"CN={user}, DC=contoso",
              RequestId="12", when="2026-11-02T12:00:00Z"),
        event(404, channel="Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider/Admin", host=device,
              text=f"PFXCertInstall 0x80090016 C:\\Users\\{user}\\x", record_id="3", when="2026-11-02T13:00:00Z"),
        Record(source=f"OMADM {mail}.log", kind="omadm", host=device, text="0x80004005", when="2026-11-02T13:00:00Z"),
        Skipped(source=home, what=f"/home/{user}/x cannot be read"),
        SourceRead(source=home, kind="svclog", scanned=2, size=9),
    ]  # fmt: skip


_users = st.from_regex(r"[a-z]{5,9}[0-9]{3}", fullmatch=True)
_devices = st.one_of(st.uuids().map(str), st.from_regex(r"[A-Z]{3}[0-9]{7}[A-Z]", fullmatch=True))


@given(_users, _devices)
@settings(max_examples=60, deadline=None)
def test_a_redacted_report_holds_none_of_them(user: str, device: str) -> None:
    made = report(_items(user, device), key=KEY)
    whole = msgspec.json.encode(made).decode() + as_text(triage_text(made, bars=True)) + triage_markdown(made)
    for secret in (user, device):
        assert secret.lower() not in whole.lower()


@given(_users, _devices)
@settings(max_examples=40, deadline=None)
def test_redaction_leaves_counts_alone(user: str, device: str) -> None:
    def counted(key: bytes) -> list[tuple[object, ...]]:
        made = report(_items(user, device), key=key)
        return [
            (p.signature, p.code, p.count, p.first, p.last, p.devices, p.users, p.requests.failing, p.histogram)
            for p in made.problems
        ]

    assert counted(KEY) == counted(b"")


def test_the_command_and_the_sources_are_redacted_too() -> None:
    fold = count([line("0x80094012", source="/home/annaek/a.svclog")], load())
    made = make_report(fold, where="--bundle /home/annaek/bundle", key=KEY)
    assert b"annaek" not in msgspec.json.encode(made)
    assert made.problems[0].command.endswith("/bundle")


def test_the_report_says_that_it_is_redacted() -> None:
    assert report(_items("anna", f"{DEVICE}1"), key=KEY).redacted
    assert not report(_items("anna", f"{DEVICE}1")).redacted
