"""A redacted report holds no user, device or address; it counts what the other counts, and names stay apart."""

from __future__ import annotations

from time import process_time

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
from remediate.triage.redaction_names import known_names
from remediate.triage.report import Report
from remediate.triage.signatures import load
from remediate.triage.summary import make_report
from tests.triage.material import CA, CONNECTOR, DEVICE, Item, event, line, report
from tests.triage.redaction_shapes import IMPERSONAL, NAMED

KEY = b"a key of the tests"


def _printed(made: Report) -> str:
    """The report in every format."""
    return msgspec.json.encode(made).decode() + as_text(triage_text(made, bars=True)) + triage_markdown(made)


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


@pytest.mark.parametrize(("text", "secrets"), NAMED)
def test_no_shape_of_a_name_is_left_in_any_format(text: str, secrets: tuple[str, ...]) -> None:
    made = report([line(f"0x80094812 {text}"), line(f"0x800706BA {text}", source=f"{text}/x.svclog")], key=KEY)
    whole = _printed(made)
    assert not [secret for secret in secrets if secret.lower() in whole.lower()]
    assert {one.code for one in made.problems if one.code in one.proof[0].text} == {"0x80094812", "0x800706BA"}
    redacted = Redactor(KEY).text(text)
    assert Redactor(KEY).text(redacted) == redacted


@pytest.mark.parametrize("text", IMPERSONAL)
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
    whole = _printed(made)
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


_GIVEN = ("Åsa", "Jörg", "Maj-Britt", "Sinead", "Lech", "Zoë")
_FAMILY = ("Öberg", "Müller", "Lindqvist", "O'Brien", "Kowalczyk", "Wäisänen")
# {account}, {full}, {given}, {family}, {device}, {name} (of a device) and {bare} (its ID without dashes).
_SHAPES = (
    "CONTOSO\\{account}", "contoso.test\\{account} denied", "user CONTOSO\\{account} denied", "{account}@contoso.test",
    '"{account}"@contoso.test', "{account}%40contoso.test", "CN={full}, OU=Staff", 'CN="{family}, {given}", OU=Staff',
    "CN={family}\\, {given},DC=contoso", "CN = {full}", "G={given}, SN={family}, CN=x", "UID={account}+CN={full}",
    "User: {account}", "Användare: {full}; mall", "Benutzername: {full}; Vorlage", "Requester Name: CONTOSO\\{account}",
    '{{"userName":"{account}","displayName":"{full}"}}', '{{"caller":"CONTOSO\\\\{account}"}}',
    "<UserName>{full}</UserName>", "<Data Name='UserPrincipalName'>{account}</Data>", "for user {account} failed",
    "C:\\Users\\{account}\\log.txt", "/home/{account}/x", "Device ID: {device}", "{device}-17.pfr", "req{bare}.pfr",
    "a{device}", "x_{bare}_y", "DeviceName: {name}", "Gerätename: {name}", "Enhetsnamn={name}; x",
    "Enhets-ID: {device}", '"deviceName": "{name}"', "on device {name} failed", "{{{device}}}",
)  # fmt: skip


@given(
    st.lists(st.sampled_from(_SHAPES), min_size=1, max_size=4), st.sampled_from(_GIVEN), st.sampled_from(_FAMILY),
    st.from_regex(r"[a-z]{5,9}[0-9]{3}", fullmatch=True), st.uuids(),
    st.from_regex(r"[A-Z]{6,9}-[A-Z]{4}", fullmatch=True), st.sampled_from(("", " ", "; ", ". ", "\n", ", x ")),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_names_planted_in_any_shape_are_found_in_no_format(
    shapes: list[str], given_name: str, family: str, account: str, device: object, name: str, between: str
) -> None:
    names = {"account": account, "full": f"{given_name} {family}", "given": given_name, "family": family,
             "device": str(device), "bare": str(device).replace("-", ""), "name": name}  # fmt: skip
    text = (between or " | ").join(shape.format(**names) for shape in shapes)
    items: list[Item] = [
        line(f"0x80094812 {text}", when="2026-11-02T10:00:00Z", host="CONN1"),
        event(53, provider=CA, record_id="1", Reason=f"0x80094012 {text}", when="2026-11-02T11:00:00Z"),
        Skipped(source="a.log", what=f"cannot be read: {text}"),
    ]
    made = report(items, key=KEY)
    whole = _printed(made).lower()
    assert not [told for told in names.values() if told.lower() in whole]
    assert [one.count for one in made.problems] == [one.count for one in report(items).problems]
    assert {one.code for one in made.problems} == {"0x80094812", "0x80094012"}


def test_a_user_of_whom_no_entry_is_shown_is_replaced_in_the_name_of_a_file() -> None:
    entries = [
        line(f"The request was for CN=Anna Person{number}. 0x80094812", when=f"2026-11-20T08:0{number}:00Z")
        for number in range(5)
    ]
    read = [SourceRead(source=f"/srv/Anna Person3 notes/{name}", kind="text") for name in ("PERSON2.txt", "ca01.txt")]
    made = report([*entries, *read], key=KEY)
    assert "person" not in _printed(made).lower()
    assert made.problems[0].users == 5
    assert made.sources[0].source.endswith("/ca01.txt") or made.sources[1].source.endswith("/ca01.txt")


def test_the_device_whose_own_event_it_is_is_no_host_that_stays() -> None:
    channel = "Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider/Admin"
    events = [
        event(404, channel=channel, host=f"ANNAS-BOX{number}.contoso.test", when=f"2026-11-20T09:0{number}:00Z",
              text=f"0x800706BA on ANNAS-BOX{number}", record_id=str(number))
        for number in range(5)
    ]  # fmt: skip
    made = report([line("0x800706BA", when="2026-11-20T08:00:00Z"), *events], key=KEY)
    assert "annas-box" not in _printed(made).lower()
    assert "conn1" in made.problems[0].hosts and len(made.problems[0].hosts) == 6


def test_names_of_cas_templates_and_servers_stay_though_they_look_like_accounts() -> None:
    entry = event(
        53, provider=CA, record_id="1", Reason="0x80094812", UserName="contoso.admin@contoso.test", RequestId="12",
        CAName=r"CA01\Contoso Issuing CA", TemplateName="Anna-Laptop", Told=r"asked CA01\Contoso Issuing CA of CONN1$",
    )  # fmt: skip
    (made,) = report([entry], key=KEY).problems
    assert made.certification_authorities == (r"CA01\Contoso Issuing CA",)
    assert made.templates == ("Anna-Laptop",)
    assert "Contoso Issuing CA of" in made.proof[0].text and "Anna-Laptop" in made.proof[0].text
    assert "contoso.admin" not in made.proof[0].text


def test_a_template_field_with_a_user_in_it_keeps_the_user_back() -> None:
    made = report([line("0x80094812 Template: IntunePKCS for user asaoberg")], key=KEY)
    assert "asaoberg" not in _printed(made)


def test_a_request_file_is_a_pseudonym_with_its_suffix() -> None:
    name = "/srv/PfxRequest/Failed/annasvensson.pfr"
    file = Record(source=name, kind="request-file", text="Failed: annasvensson.pfr 0x80094812",
                  data={"folder": "Failed", "name": "annasvensson.pfr", "codes": "0x80094812"})  # fmt: skip
    read = SourceRead(source=name, kind="request-file")
    made = report([file, read, Skipped(source=name, what="no permission")], key=KEY)
    assert "anna" not in _printed(made)
    shown = made.problems[0].proof[0]
    assert shown.source == made.sources[0].source == made.unread[0].source
    assert shown.source.endswith(".pfr") and shown.text.endswith(".pfr 0x80094812")


def test_the_user_who_signs_in_is_no_part_of_the_command() -> None:
    fold = count([line("0x80094012")], load())
    made = make_report(fold, where="--domain contoso.test --user annaadmin --connector conn1", key=KEY)
    assert "annaadmin" not in made.problems[0].command and "--connector conn1" in made.problems[0].command


def test_a_guid_has_one_pseudonym_in_every_spelling() -> None:
    guid = f"{DEVICE}a"
    spellings = (guid, guid.upper(), guid.replace("-", ""), f"{{{guid}}}", guid.replace("-", "_"))
    assert len({Redactor(KEY).text(one).strip("{}") for one in spellings}) == 1


def test_short_numbers_and_codes_are_no_names_that_are_replaced_everywhere() -> None:
    known = known_names(["1001", "0x80094812", "SYSTEM", "annaek"], [])
    assert Redactor(KEY, known).text("event 1001 0x80094812 System") == "event 1001 0x80094812 System"
    assert known == {"annaek": "user"}


def test_the_cost_of_redaction_grows_with_the_text_and_not_with_the_names() -> None:
    text = "0x80094812 for name7 at name8 " + "z " * 300

    def seconds(names: int) -> float:
        redactor = Redactor(KEY, known_names((f"name{number}" for number in range(names)), ()))
        begun = process_time()
        for _ in range(100):
            assert "name7" not in redactor.text(text)
        return process_time() - begun

    few, many = seconds(100), seconds(20_000)
    assert many < 5 * few


def test_the_command_and_the_sources_are_redacted_too() -> None:
    fold = count([line("0x80094012", source="/home/annaek/a.svclog")], load())
    made = make_report(fold, where="--bundle /home/annaek/bundle", key=KEY)
    assert b"annaek" not in msgspec.json.encode(made)
    assert made.problems[0].command.endswith("/bundle")


def test_the_report_says_that_it_is_redacted() -> None:
    assert report(_items("anna", f"{DEVICE}1"), key=KEY).redacted
    assert not report(_items("anna", f"{DEVICE}1")).redacted
