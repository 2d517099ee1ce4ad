"""Counts: once for each event, in any order, in a memory that stays the same; who was hit, and who recovered."""

from __future__ import annotations

import random
import tracemalloc
from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediate.triage import bounded
from remediate.triage.bounded import Histogram, Latest
from remediate.triage.correlation import subject_of
from remediate.triage.counting import count
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.signatures import load
from tests.triage.material import CA, CONNECTOR, DEVICE, Item, event, line, report, row

RPC = "IssuePfx - COMException: COMException (0x800706BA): CCertRequest::Submit"
OPERATIONAL = f"{CONNECTOR}/Operational"


def test_a_problem_has_count_first_last_and_two_proofs() -> None:
    made = report([
        line(RPC, when="2026-11-02T10:00:00.5Z", position=2),
        line(RPC, when="2026-11-02T10:00:00Z", position=1),
        line(RPC, when="2026-11-03T10:00:00Z", position=3),
        line("nothing", when="2026-11-09T10:00:00Z"),
    ])  # fmt: skip
    (problem,) = made.problems
    assert (problem.signature, problem.code, problem.name) == (
        "rpc_server_unavailable", "0x800706BA", "RPC_S_SERVER_UNAVAILABLE",
    )  # fmt: skip
    assert (problem.count, problem.first, problem.last) == (3, "2026-11-02T10:00:00Z", "2026-11-03T10:00:00Z")
    assert [proof.position for proof in problem.proof] == [1, 3]
    assert problem.command == "remediate run rpc_server_unavailable --dry-run --bundle B"
    assert [(bucket.start, bucket.count) for bucket in problem.histogram] == [
        ("2026-11-02T10:00Z", 2), ("2026-11-03T10:00Z", 1),
    ]  # fmt: skip


def test_entries_without_a_time_are_counted_and_have_neither_first_nor_last() -> None:
    (problem,) = report([line(RPC, position=number) for number in (1, 2)]).problems
    assert (problem.count, problem.first, problem.last, problem.histogram) == (2, "", "", ())
    assert [proof.position for proof in problem.proof] == [1, 2]


def test_a_proof_is_one_line_cut_around_its_code() -> None:
    (problem,) = report([line(f"{'x' * 5000}\n0x800706BA {'y' * 5000}")]).problems
    (proof,) = problem.proof
    assert "0x800706BA" in proof.text and "\n" not in proof.text and len(proof.text) < 420


def test_the_same_event_read_twice_counts_once() -> None:
    at = "2026-11-02T10:00:00.1234567Z"
    admin = {"channel": f"{CONNECTOR}/Admin", "host": "conn1.contoso.test"}
    items = [
        line(RPC, when=at, source="a.svclog"),
        line(RPC, when=at, source="a (copy).svclog"),
        event(1001, text=RPC, when="2026-11-02T10:00:00.123456Z", record_id="9", source="a.evtx", **admin),
        event(1001, text="0x800706BA told otherwise", when=at, record_id="9", source="a.xml", **admin),
    ]
    for order in (items, items[::-1], items[2:] + items[:2]):
        made = report(order)
        assert [problem.count for problem in made.problems] == [1]
        assert made.copies == 3


def test_different_events_are_not_taken_for_copies() -> None:
    at, admin = "2026-11-02T10:00:00.12Z", {"channel": f"{CONNECTOR}/Admin"}
    made = report([
        line(RPC, when=at),
        line(RPC, when=at, host="CONN2"),
        line(RPC, when="2026-11-02T10:00:00.13Z"),
        event(1001, text="0x80094012", when=at, record_id="1", **admin),
        event(1001, text="0x80094012", when=at, record_id="2", **admin),
        event(1001, text="0x80094012", when=at, record_id="2", host="other", **admin),
        line(f"{RPC} and more", when=at),
    ])  # fmt: skip
    assert (row(made, "rpc_server_unavailable").count, row(made, "template_denied").count) == (4, 3)
    assert made.copies == 0


def _written(text: str, source: str, position: int, when: str = "2026-11-02T10:00:00.000Z") -> Record:
    """A row of an export, or a pasted line: its time has no fraction."""
    return Record(source=source, kind="event-csv", position=position, text=text, when=when, host="conn1")


def test_several_entries_of_one_second_are_several_events_in_whole_and_cut_files() -> None:
    whole = [_written(RPC, "a.csv", position) for position in (1, 2, 3)]
    halves = [_written(RPC, "a1.csv", 1), _written(RPC, "a2.csv", 1), _written(RPC, "a2.csv", 2)]
    for items in (whole, halves, halves[::-1]):
        made = report(items)
        assert (row(made, "rpc_server_unavailable").count, made.copies) == (3, 0)


def test_an_entry_of_one_second_that_names_its_request_is_known_again() -> None:
    named = f"{RPC} Device ID {DEVICE}"
    exports = [_written(f"{named}{device}", source, 1) for source in ("monday.csv", "tuesday.csv") for device in "12"]
    assert (row(report(exports), "rpc_server_unavailable").count, report(exports).copies) == (2, 2)


def test_an_entry_with_a_fine_time_is_known_again_in_text_and_svclog() -> None:
    at = "2026-11-02T10:00:00.125Z"
    items = [_written(RPC, "a.csv", 1, at), line(RPC, when=at)]
    assert (row(report(items), "rpc_server_unavailable").count, report(items).copies) == (1, 1)
    whole_second = [line(RPC, when=at.replace("125", "000"), source=source) for source in ("a", "a (copy)")]
    assert report(whole_second).copies == 1


def test_a_copy_far_away_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "REMEMBERED", 4)
    items = [line(RPC, when=f"2026-11-02T10:00:0{number}Z") for number in range(9)]
    made = report([*items, items[0]])
    assert row(made, "rpc_server_unavailable").count == 10
    assert "may be counted again" in made.notes[0]
    assert report(items[:3]).notes == ()


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        (line(f"Issuing Pfx certificate for Device ID {DEVICE}1 failed"), {"device": f"{DEVICE}1"}),
        (line("Issuing Pfx certificate for Device ID <Device ID> failed"), {}),
        (line("Device ID is missing"), {}),
        (line("User Name: anna@contoso.test; CA Name: Contoso CA; Template: IntunePKCS; 1"),
         {"user": "anna@contoso.test", "ca": "Contoso CA", "template": "IntunePKCS"}),
        (event(20102, DeviceId=f"{DEVICE}1", UserID="u7", CAName="ca", TemplateName="T", CertificateThumbprint="ab"),
         {"device": f"{DEVICE}1", "user": "u7", "ca": "ca", "template": "T", "thumbprint": "ab"}),
        (event(53, RequestId="146", SubjectName="CN=Anna Ek, OU=x"), {"request": "146", "user": "Anna Ek"}),
        (event(53, RequestId="146", SubjectName=f"CN={DEVICE}2"), {"request": "146", "device": f"{DEVICE}2"}),
        (line("denied request 146 because no. The request was for CN=Anna Ek.  Additional information: x"),
         {"request": "146", "user": "Anna Ek"}),
        (line("issued to bo@contoso.test, thumbprint 00112233445566778899AABBCCDDEEFF00112233"),
         {"user": "bo@contoso.test", "thumbprint": "00112233445566778899AABBCCDDEEFF00112233"}),
    ],
)  # fmt: skip
def test_whose_request_it_was(record: Record, expected: dict[str, str]) -> None:
    found = msgspec.to_builtins(subject_of(record))
    assert {name: value for name, value in found.items() if value} == expected


def test_requests_that_were_issued_later_are_told_from_those_that_still_fail() -> None:
    def failed(device: int, when: str) -> Record:
        return event(
            1052, channel=OPERATIONAL, text="0x80094012", when=when, record_id=when, DeviceId=f"{DEVICE}{device}"
        )

    def issued(device: int, when: str) -> Record:
        return event(1050, channel=OPERATIONAL, when=when, record_id=when, DeviceId=f"{DEVICE}{device}".upper())

    items = [
        failed(1, "2026-11-02T10:00:00Z"), failed(1, "2026-11-02T11:00:00Z"), issued(1, "2026-11-02T12:00:00Z"),
        issued(2, "2026-11-02T10:30:00Z"), failed(2, "2026-11-02T11:30:00Z"),
        failed(3, "2026-11-02T12:30:00Z"), issued(4, "2026-11-02T09:00:00Z"),
    ]  # fmt: skip
    for order in (items, items[::-1]):
        made = report(order)
        problem = row(made, "template_denied")
        assert (problem.devices, problem.requests.recovered, problem.requests.failing) == (3, 1, 2)
        assert problem.requests.failing_last == (f"device:{DEVICE}3", f"device:{DEVICE}2")
        assert made.issued == 3


def test_a_request_of_the_ca_recovers_by_its_number() -> None:
    waits = event(8, provider=CA, when="2026-11-02T10:00:00Z", record_id="1", RequestId="17")
    done = event(6, provider=CA, when="2026-11-02T11:00:00Z", record_id="2", RequestId="17")
    elsewhere = event(6, provider=CA, when="2026-11-02T11:00:00Z", record_id="3", RequestId="17", host="ca02")
    assert row(report([waits, done]), "submission_pending").requests.recovered == 1
    assert row(report([waits, elsewhere]), "submission_pending").requests.failing == 1


def test_the_device_that_is_named_behind_a_reason_was_hit_by_it() -> None:
    made = report([
        line(RPC, when="2026-11-02T10:00:00.1Z"),
        line(f"Issuing Pfx certificate for Device ID {DEVICE}1 failed", when="2026-11-02T10:00:00.2Z"),
        line("IssuePfx - The submission is pending", when="2026-11-02T10:00:00.3Z", source="other"),
    ])  # fmt: skip
    assert row(made, "rpc_server_unavailable").devices == 1
    assert row(made, "certificate_not_issued").devices == 1
    assert row(made, "submission_pending").devices == 0


def test_entries_of_ranges_that_are_read_side_by_side_are_not_mixed_up() -> None:
    def entry(text: str, position: int) -> Record:
        return line(text, when=f"2026-11-02T10:00:00.{position:09}Z", position=position)

    def told(number: int, start: int, text: str) -> list[Record]:
        named = f"Issuing Pfx certificate for Device ID {DEVICE}{number} failed"
        return [entry(text, start), entry(named, start + 900)]

    one, other = told(1, 5_000, RPC), told(2, 50_000_000, "0x80094012")
    for items in ([*one, *other], [one[0], other[0], one[1], other[1]], [other[0], one[0], one[1], other[1]]):
        made = report(items)
        assert [row(made, name).requests.failing_last for name in ("rpc_server_unavailable", "template_denied")] == [
            (f"device:{DEVICE}1",), (f"device:{DEVICE}2",),
        ]  # fmt: skip
    first, second = entry(RPC, 5_000), entry(one[1].text, 5_900)
    between, end = entry("0x80094012", 5_400), SourceRead(source=first.source, kind="text")
    seam = report([second, first, end])
    assert row(seam, "rpc_server_unavailable").devices == 1, "the end of one range came after the beginning of the next"
    seam = report([second, first, between, end])
    assert [row(seam, name).devices for name in ("rpc_server_unavailable", "template_denied")] == [0, 1]
    far = [entry(RPC, 5), entry(one[1].text, 500_000)]
    assert row(report(far), "rpc_server_unavailable").devices == 0


def test_events_without_a_text_are_told_apart_by_their_id() -> None:
    at = {"when": "2026-11-02T10:00:00.123Z", "host": "conn1"}
    made = report([event(number, provider=CONNECTOR, channel=f"{number}", **at) for number in (1003, 1101)])
    assert row(made, "intune_out_of_reach").count == 2


def test_a_denial_points_to_the_reason_that_the_ca_logs() -> None:
    denied = line("IssuePfx - The submission failed: Denied by Policy Module")
    reason = event(53, provider=CA, record_id="1", Reason="0x80094812", AdditionalInformation="Nekad av principmodulen")
    assert not row(report([denied, line("0x80094812")]), "denied_by_policy_module").notes
    (note,) = row(report([denied, reason]), "denied_by_policy_module").notes
    assert "0x80094812 CERTSRV_E_SUBJECT_EMAIL_REQUIRED" in note


def test_event_128_alone_is_called_weak() -> None:
    warning = event(128, provider=CA, record_id="1", RequestId="16")
    assert row(report([warning]), "event_128").notes
    assert not row(report([warning, line(RPC)]), "event_128").notes


def test_an_unknown_code_is_named_and_counted() -> None:
    (problem,) = report([line("0x80094811"), line("80094811", position=1)]).problems
    assert (problem.kind, problem.code, problem.title, problem.count) == (
        "unknown",
        "0x80094811",
        "CERTSRV_E_KEY_LENGTH",
        2,
    )
    assert (problem.playbook, problem.command) == ("", "certutil -error 0x80094811")


def test_rows_stand_in_the_order_in_which_to_look_at_them() -> None:
    items = [event(128, provider=CA, record_id=str(number)) for number in range(9)]
    items += [line(f"0x800948{digits}", position=number) for digits in ("11", "04", "16") for number in range(5)]
    items += [line(RPC), line("The submission is pending"), line("The submission is pending", position=1)]
    items += [line(f"Issuing Pfx certificate for Device ID {DEVICE}1 failed")]
    kinds = [one.kind for one in report(items).problems]
    assert kinds == ["problem", "problem", "warning", *["unknown"] * 3, "consequence"]
    assert report(items).problems[0].signature == "submission_pending"


def test_since_leaves_out_what_is_older_and_keeps_what_has_no_time() -> None:
    items = [line(RPC, when="2026-11-01T23:59:59.9Z"), line(RPC, when="2026-11-02T00:00:00Z"), line(RPC, position=9)]
    assert row(report(items, since="2026-11-02T00:00:00Z"), "rpc_server_unavailable").count == 2


def test_what_was_read_is_summed_up() -> None:
    read = {"kind": "svclog", "size": 10, "scanned": 5}
    items: list[Item] = [
        line(RPC, source="b"),
        SourceRead(source="b", first="2026-11-02T00:00:00Z", last="2026-11-03T00:00:00Z", **read),  # type: ignore[arg-type]
        SourceRead(source="a", first="2026-11-01T00:00:00.5Z", last="2026-11-01T00:00:00.7Z", **read),  # type: ignore[arg-type]
        Skipped(source="c", what="no permission"),
    ]
    made = report(items)
    assert [(one.source, one.matched, one.zones) for one in made.sources] == [("a", 0, ()), ("b", 1, ("utc",))]
    assert (made.records, made.size, made.first, made.last) == (
        10,
        20,
        "2026-11-01T00:00:00.5Z",
        "2026-11-03T00:00:00Z",
    )
    assert [one.source for one in made.unread] == ["c"] and made.exit_code == 1
    assert report(items[:-1]).exit_code == 2
    assert report(items[1:-1]).exit_code == 0


def test_a_histogram_keeps_every_count_in_few_steps() -> None:
    made, start = Histogram(), datetime(2026, 1, 1, tzinfo=UTC)
    for minute in range(5000):
        made.add((start + timedelta(minutes=minute * 7)).strftime("%Y-%m-%dT%H:%M:%SZ"))
    assert len(made.buckets) <= bounded.MOST_BUCKETS
    assert sum(count for _, count in made.buckets) == 5000
    assert made.minutes & (made.minutes - 1) == 0
    made.add("")
    made.add("no time at all")
    assert sum(count for _, count in made.buckets) == 5000


def test_so_many_devices_are_a_lower_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "MOST_VALUES", 3)
    items = [line(f"0x800706BA Device ID {DEVICE}{number}", position=number) for number in range(5)]
    made = report(items)
    assert row(made, "rpc_server_unavailable").devices == 3
    assert row(made, "rpc_server_unavailable").requests.at_least
    assert "lower bound" in made.notes[0]


def test_latest_keeps_the_latest_time_of_each_value() -> None:
    kept = Latest()
    for value, when in (
        ("a", "2026-01-01T00:00:00Z"),
        ("a", "2026-01-01T00:00:00.5Z"),
        ("b", ""),
        ("", "x"),
        ("a", ""),
    ):
        kept.add(value, when)
    assert kept.newest(9) == ("a", "b") and kept.times["a"] == "2026-01-01T00:00:00.5Z"


_TEXTS = (
    RPC,
    "0x80094811 0x80094812",
    "The submission is pending",
    f"0x80094012 Device ID {DEVICE}1",
    "Denied by Policy Module",
)

_TIMES = ("2026-11-02T10:00:00Z", "2026-11-02T10:00:00.5Z", "2026-11-03T10:00:00Z")


def _record(text: str, when: str, source: str, number: int) -> Record:
    """A channel numbers what it holds: one number is one text at one time."""
    made = Record(source=source, kind="text", text=text, when=when, position=number, host="conn1")
    if source != "evtx":
        return made
    when = when or _TIMES[0]
    return msgspec.structs.replace(made, when=when, channel="Admin", record_id=f"{_TEXTS.index(text)} {when} {number}")


_records = st.builds(
    _record,
    st.sampled_from(_TEXTS),
    st.sampled_from(["", *_TIMES]),
    st.sampled_from(["evtx", "svclog", "text"]),
    st.integers(1, 4),
)


@given(st.lists(_records, max_size=25), st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None)
def test_the_order_of_records_does_not_matter(records: list[Record], chance: random.Random) -> None:
    shuffled = records.copy()
    chance.shuffle(shuffled)
    one, other = report(records), report(shuffled)
    assert [(p.signature, p.code, p.count) for p in one.problems] == [
        (p.signature, p.code, p.count) for p in other.problems
    ]
    assert [(p.first, p.last, p.histogram) for p in one.problems] == [
        (p.first, p.last, p.histogram) for p in other.problems
    ]
    assert [p.proof for p in one.problems] == [p.proof for p in other.problems]


@given(st.lists(_records, max_size=25), st.integers(0, 25))
@settings(max_examples=100, deadline=None)
def test_two_halves_count_as_the_whole(records: list[Record], at: int) -> None:
    halves = [*records[:at], *(msgspec.structs.replace(one, source=f"{one.source}.2") for one in records[at:])]
    counts = [{(p.signature, p.code): p.count for p in report(items).problems} for items in (records, halves)]
    assert counts[0] == counts[1]


def test_memory_does_not_grow_with_what_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounded, "REMEMBERED", 500)
    monkeypatch.setattr(bounded, "MOST_BUCKETS", 60)
    signatures, start = load(), datetime(2026, 1, 1, tzinfo=UTC)

    def peak(number: int) -> int:
        items = (
            line(f"{RPC} Device ID {DEVICE}{at % 97}", when=f"{start + timedelta(seconds=at):%Y-%m-%dT%H:%M:%SZ}")
            for at in range(number)
        )
        tracemalloc.start()
        count(items, signatures)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(8_000)  # fills the caches, which have a fixed size
    assert peak(50_000) < peak(10_000) + 150_000  # less than four bytes for each record more
