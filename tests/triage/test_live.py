"""A host's answer becomes what a file gives, and what of it is missing is told; and which hosts are asked at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remediate.cli import live_logs
from remediate.cli.live_logs import live_from, live_items, where_of
from remediate.cli.main import main
from remediate.model.errors import DocumentError, RemediateError, TransportError, UsageError
from remediate.model.secret import Secret
from remediate.transports.credentials import Credential, Logon
from remediate.triage.counting import Fold, count
from remediate.triage.live import decode, items_of
from remediate.triage.live_request import CONNECTOR_LOGS, host_patterns, request_for
from remediate.triage.needles import Needles, Search
from remediate.triage.records import Record, Skipped, SourceRead
from remediate.triage.signatures import load
from remediate.triage.sources_origin import Origin
from remediate.triage.summary import make_report
from tests.triage.sources_material import trace

OPERATIONAL, ADMIN, OLD = CONNECTOR_LOGS
SINCE = "2026-11-20T00:00:00Z"
NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
ABSENT = {"absent": True}
GIVEN = {
    "domain": "", "dc": "", "ca": (), "connector": (), "trust": "", "user": "", "tls": False, "timeout": 60,
    "endpoint": "",
}  # fmt: skip


def log(**changed: Any) -> dict[str, Any]:
    plain = {
        "enabled": True, "records": 9, "has_wrapped": False, "oldest": "2026-11-21T00:00:00Z",
        "newest": "2026-11-23T00:00:00Z", "events": [], "left_out": 0, "issued_left_out": 0, "errors": 0,
        "stopped": False,
    }  # fmt: skip
    return {"value": plain | changed}


def file(**changed: Any) -> dict[str, Any]:
    plain = {
        "encoding": "iso-8859-1", "records": 3, "first": "2026-11-21T00:00:00Z", "last": "2026-11-22T00:00:00Z",
        "entries": [], "left_out": 0, "stopped": False,
    }  # fmt: skip
    return {"path": "C:\\Logs\\a.svclog", "size": 700, "read": {"value": plain | changed}}


def answer(*, logs: dict[str, Any] | None = None, traces: Any = ABSENT, folders: Any = ()) -> str:
    everything = dict.fromkeys((*CONNECTOR_LOGS, "Application"), ABSENT) | (logs or {})
    document = {
        "format_version": "1.0", "role": "logs", "collector": "remediate 1", "read_from": "CONN1",
        "read_at": "2026-11-23T12:00:00Z", "request_folders": folders, "traces": traces,
        "logs": [{"log": name, "read": read} for name, read in everything.items()],
    }  # fmt: skip
    return json.dumps(document)


def folder(*files: dict[str, Any], **changed: Any) -> dict[str, Any]:
    return {"value": {"path": "C:\\Logs", "total": len(files), "older": 0, "errors": 0, "files": files} | changed}


def items(text: str, *roles: str) -> list[Record | Skipped | SourceRead]:
    origin = Origin("conn1", Search(load().needles), UTC)
    return list(items_of(decode(text, host="conn1"), origin, roles=roles, since=SINCE))


def told(text: str, *roles: str) -> list[tuple[str, bool]]:
    return [(one.what, one.lost) for one in items(text, *roles) if isinstance(one, Skipped)]


def event(number: int, **data: str) -> str:
    values = "".join(f"<Data Name='{name}'>{value}</Data>" for name, value in data.items())
    return (
        "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
        f"<Provider Name='Microsoft-Intune-CertificateConnectors'/><EventID>{number}</EventID>"
        "<TimeCreated SystemTime='2026-11-22T10:00:00.1234567Z'/><EventRecordID>77</EventRecordID>"
        f"<Channel>{OPERATIONAL}</Channel><Computer>conn1.contoso.test</Computer></System>"
        f"<EventData>{values}</EventData></Event>"
    )


# --- what is asked ---------------------------------------------------------------------------------------------


def test_a_host_is_asked_for_what_the_signatures_say() -> None:
    asked = json.loads(request_for(load(), since="2026-11-20T08:00:01Z", seconds=120))
    assert (asked["since"], asked["seconds"]) == ("20261120T080001Z", 90)
    logs = {one.pop("log"): one for one in asked["events"]}
    assert set(logs) == {*CONNECTOR_LOGS, "Application"}
    assert {1001, 1051, 1052, 1003, 1101} <= set(logs[OPERATIONAL]["ids"])
    assert set(logs[OPERATIONAL]["issued"]) == set(logs[ADMIN]["issued"]) == {1000, 1050}
    assert set(logs["Application"]["ids"]) >= {7, 8, 53, 128} and logs["Application"]["issued"] == [6]
    assert 20102 in logs[OLD]["ids"] and 1051 not in logs[OLD]["ids"]
    assert not any(set(one["ids"]) & {*one["issued"], *one["routine"]} for one in logs.values())
    assert request_for(load(), since=SINCE, seconds=1).isascii()


CODES = (0x800706BA, 0x80094812, 0x00000400, 0xC0000001, 0x80070057, 0x9ABCDEF0)
NEEDLES = Needles(codes=frozenset(CODES), texts=frozenset({"Sändningen väntar", "Denied: by Policy Module"}))
PATTERNS = tuple(map(re.compile, host_patterns(NEEDLES)))


def spelt(code: int) -> list[str]:
    return [
        f"0x{code:08x}",
        f"0X{code:08X}",
        f"0x{code:x}",
        f"{code:08x}",
        f"{code:X}",
        str(code),
        str(code - (1 << 32)),
    ]


WORDS = st.one_of(
    st.sampled_from([text for code in CODES for text in spelt(code)]),
    st.sampled_from(sorted(NEEDLES.texts)),
    st.integers(0, (1 << 32) - 1).map(lambda code: f"0x{code:08X}"),
    st.integers(-(1 << 31), (1 << 32) - 1).map(str),
    st.text(alphabet="0x8214 -_(:.aä", max_size=12),
)


@given(st.lists(WORDS, max_size=6), st.sampled_from(["", " ", "(", "-"]))
@settings(max_examples=400, deadline=None)
def test_a_host_misses_nothing_that_is_looked_for_here(words: list[str], between: str) -> None:
    text = between.join(words)
    if Search(NEEDLES).holds(text):
        assert any(pattern.search(text) for pattern in PATTERNS), text


def test_a_host_does_not_send_what_nobody_looks_for() -> None:
    plain = "device 5b1c2d3e-800a-4c2d-8e3f-8009481200aa 2026-11-23T09:21:40.2140000Z port 2148 0x00000000 80094812x"
    assert not any(pattern.search(plain) for pattern in PATTERNS)


def test_the_patterns_are_of_net_as_well() -> None:
    """Nothing that the two read differently: letters beyond ASCII, digits by class, names of groups, inline options."""
    for pattern in host_patterns(load().needles):
        assert pattern.isascii()
        assert not re.search(r"\\[dwsbZAG]|\(\?P|\(\?[a-zA-Z]|\(\?[<!=]*[^<>!:=]*[*+]\)", pattern), pattern


# --- what comes back -------------------------------------------------------------------------------------------


def test_events_become_records_with_their_numbers() -> None:
    text = answer(logs={OPERATIONAL: log(events=[event(1051, Error="0x800706ba"), event(9, Note="of no interest")])})
    (record,) = [one for one in items(text) if isinstance(one, Record)]
    assert (record.kind, record.event_id, record.position, record.record_id) == ("event-log", 1051, 77, "77")
    assert (record.source, record.host) == (f"conn1 {OPERATIONAL}", "conn1.contoso.test")
    (read,) = [one for one in items(text) if isinstance(one, SourceRead)]
    assert (read.scanned, read.first[:10], read.last[:10]) == (9, "2026-11-21", "2026-11-23")


def test_entries_of_a_trace_file_keep_their_place_and_bytes() -> None:
    entry = trace("Sändningen väntar").encode().decode("latin-1")
    text = answer(traces=folder(file(entries=[{"at": 4096, "text": entry}])))
    (record,) = [one for one in items(text) if isinstance(one, Record)]
    assert (record.kind, record.position, record.text) == ("svclog", 4096, "Sändningen väntar")
    assert record.source == "conn1 C:\\Logs\\a.svclog"
    wide = answer(traces=folder(file(encoding="utf-16", entries=[{"at": 0, "text": trace("Sändningen väntar")}])))
    assert [one.text for one in items(wide) if isinstance(one, Record)] == ["Sändningen väntar"]


UNREAD = {"unreadable": {"why": "Zugriff verweigert", "code": "0x80070005"}}
INCOMPLETE: dict[str, tuple[str, str]] = {
    "no rights": (answer(logs={ADMIN: UNREAD}), "cannot be read: 0x80070005"),
    "disabled": (answer(logs={ADMIN: log(enabled=False)}), "disabled"),
    "errors": (answer(logs={ADMIN: log(errors=3)}), "3 errors"),
    "no room": (answer(logs={ADMIN: log(left_out=41)}), "41 more entries"),
    "no time": (answer(logs={ADMIN: log(stopped=True)}), "the time was up"),
    "a file without rights": (answer(traces=folder(file() | {"read": UNREAD})), "0x80070005"),
    "a file without room": (answer(traces=folder(file(left_out=7))), "7 more entries"),
    "a file without time": (answer(traces=folder(file(stopped=True))), "the time was up"),
    "a file of something else": (answer(traces=folder(file(records=0))), "no record of a trace file"),
    "a folder that cannot be listed": (answer(traces=folder(errors=2)), "2 folders"),
    "no folder": (answer(traces=UNREAD), "0x80070005"),
}


@pytest.mark.parametrize("kind", INCOMPLETE)
def test_what_was_not_read_is_told_and_makes_it_incomplete(kind: str) -> None:
    text, said = INCOMPLETE[kind]
    ((what, lost),) = told(text)
    assert said in what and lost
    report = make_report(count(items(text), load()), where="")
    assert report.exit_code == 1


def test_what_is_only_good_to_know_is_told_too() -> None:
    wrapped = log(has_wrapped=True, issued_left_out=12)
    assert [lost for _, lost in told(answer(logs={ADMIN: wrapped}))] == [False, False]
    assert told(answer(logs={ADMIN: log(has_wrapped=True, oldest="2026-11-01T00:00:00Z")})) == []


def test_older_records_are_left_out_and_the_log_counts_whole() -> None:
    old = event(1051, Error="0x800706ba").replace("2026-11-22", "2026-11-19")
    found = items(answer(logs={OPERATIONAL: log(events=[old], oldest="2026-11-19T00:00:00Z")}))
    assert [one for one in found if isinstance(one, Record)] == []
    (read,) = found
    assert isinstance(read, SourceRead) and (read.scanned, read.first[:10]) == (9, "2026-11-20")


@pytest.mark.parametrize(
    ("roles", "said"), [(["connector"], ["event logs"]), (["ca"], ["is it a CA?"]), ([], []),
                        (["ca", "connector"], ["is it a CA?", "event logs"])]
)  # fmt: skip
def test_a_host_without_any_log_of_its_role(roles: list[str], said: list[str]) -> None:
    assert [any(word in what for what, _ in told(answer(), *roles)) for word in said] == [True] * len(said)
    assert len(told(answer(), *roles)) == len(said)
    assert told(answer(traces=folder(file())), "connector") == []


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", answer()[:-20], answer().replace('"1.0"', '"2.0"'), answer().replace("logs", "ca", 1)],
)
def test_an_answer_that_does_not_fit_is_refused(text: str) -> None:
    with pytest.raises(DocumentError) as error:
        decode(text, host="conn1")
    assert error.value.where == "conn1"


# --- which hosts, and in which order ---------------------------------------------------------------------------

Answers = dict[str, Callable[[], str]]


def failing(error: RemediateError) -> Callable[[], str]:
    def fail() -> str:
        raise error

    return fail


class Hosts:
    """Hosts that answer as they are told, and remember in which order they were asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: Callable[[], str]) -> None:
        self.asked: list[str] = []
        self._answers = answers
        # The network is what a unit test cannot have; tests/lab asks real hosts.
        monkeypatch.setattr(live_logs, "host_reader", lambda *_, **__: self._read)

    def _read(self, host: str) -> str:
        self.asked.append(host)
        return self._answers[host]()

    def fold(self, *, password: bool = False, **given: Any) -> Fold:
        live = live_from(GIVEN | given, since=SINCE, now=NOW)
        logon = Logon("", terminal=False)
        if password:
            logon.__dict__["credential"] = Credential("anna@CONTOSO.TEST", Secret("x"))
        return count(live_items(live, logon, load(), assumed_zone=UTC), load())


def fine() -> str:
    return answer(logs={OPERATIONAL: log(events=[event(1051, Error="0x800706ba")]), "Application": log()})


WRONG = TransportError("the host refused the logon", why="WinRM, HTTP status 401", do="Check.", code="HTTP 401")
DOWN = TransportError("nothing listens on that port", do="Check.")


def test_one_failure_stops_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch, a=failing(DOWN), b=fine, c=lambda: "cut off")
    fold = hosts.fold(connector=("a", "b"), ca=("c",))
    assert sorted(hosts.asked) == ["a", "b", "c"]
    assert [(one.source, one.what.partition(".")[0]) for one in sorted(fold.unread, key=lambda one: one.source)] == [
        ("a", "nothing listens on that port"), ("c", "its answer is cut off or does not fit (JSON is malformed: "
         "invalid character (byte 0))"),
    ]  # fmt: skip
    assert len(fold.tallies) == 1


def test_a_password_is_tried_on_one_host_until_it_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch, a=failing(DOWN), b=failing(WRONG), c=fine, d=fine)
    fold = hosts.fold(password=True, connector=("a", "b", "c", "d"))
    assert hosts.asked == ["a", "b"]
    assert ["it was not tried (b refused the account)" in one.what for one in fold.unread] == [False, False, True, True]


def test_a_ticket_is_not_spared(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch, a=failing(WRONG), b=fine)
    hosts.fold(connector=("a", "b"))
    assert sorted(hosts.asked) == ["a", "b"]


def test_a_host_of_both_roles_is_asked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    hosts = Hosts(monkeypatch, ca01=fine)
    hosts.fold(ca=("ca01",), connector=("CA01", "ca01"))
    assert hosts.asked == ["ca01"]


def test_how_the_next_verb_reads_the_same_estate() -> None:
    live = live_from(GIVEN | {"dc": "dc1", "ca": ("a b",), "user": "anna@C", "tls": True}, since="", now=NOW)
    assert where_of(live.options) == "--dc dc1 --ca 'a b' --connector HOST --user anna@C --tls"
    assert live.since == "2026-11-16T12:00:00Z"


# --- the command line ------------------------------------------------------------------------------------------


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in ("BUNDLE", "CONNECTOR", "CA", "DOMAIN", "DC", "CONFIG", "ENDPOINT", "USER"):
        monkeypatch.delenv(f"REMEDIATE_{name}", raising=False)
    (tmp_path / "a.log").write_text("0x80094811\n")
    return tmp_path


def codes(capsys: pytest.CaptureFixture[str], *arguments: str) -> set[str]:
    main(["triage", *arguments, "--json"])
    return {one["code"] for one in msgspec.json.decode(capsys.readouterr().out)["problems"]}


def test_files_and_hosts_in_one_call(
    away: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = Hosts(monkeypatch, conn1=fine)
    assert codes(capsys, "a.log", "--connector", "conn1") == {"0x80094811", "0x800706BA"}
    monkeypatch.setenv("REMEDIATE_CONNECTOR", "conn1")
    assert codes(capsys, "a.log") == {"0x80094811"}
    assert codes(capsys) == {"0x800706BA"}
    assert hosts.asked == ["conn1", "conn1"]


def test_hosts_of_the_settings_stay_out_of_a_bundle(
    away: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    hosts = Hosts(monkeypatch, conn1=fine)
    (away / "remediate.toml").write_text('connector = "conn1"\n')
    assert codes(capsys, "--bundle", "a.log") == {"0x80094811"}
    assert hosts.asked == []


@pytest.mark.parametrize(
    "arguments", [["--connector", "http://x"], ["--ca", "a:5985"], ["--connector", "c", "--trust", "no"]]
)
def test_what_does_not_fit_is_told_before_anything_is_asked(
    away: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    hosts = Hosts(monkeypatch)
    assert main(["triage", *arguments]) == int(UsageError.exit_code)
    assert hosts.asked == []


def test_the_default_time_is_said(
    away: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Hosts(monkeypatch, conn1=fine)
    main(["triage", "--connector", "conn1"])
    assert "The hosts' logs were read since" in capsys.readouterr().out
    main(["triage", "--connector", "conn1", "--since", "3d"])
    assert "The hosts' logs were read since" not in capsys.readouterr().out
