"""`remediate import`: what comes back is checked, kept in a run, and told; what must not be taken is refused whole."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remediate.cli.main import main
from remediate.model.plan import digest, seal
from remediate.render.documents import ErrorDocument, ImportDocument
from remediate.runs.folder import RunFolder, runs
from remediate.runs.lock import held
from tests.unit.result_material import (
    HOST,
    OTHER_HOST,
    PLAN,
    body,
    disposition,
    make_plan,
    put,
    record,
    restart,
    sealed,
    step,
    template,
)

ROOT = Path(__file__).resolve().parents[2]
VALUE, RESTART = PLAN.actions
DONE = record(PLAN, step(VALUE, "changed"), step(RESTART, "changed", detail="it runs again after 4 s"))
KILLED = record(
    PLAN, step(VALUE, "changed"), step(RESTART, "begun"), finished="", exit_code=4, message="", phase="writing"
)
LATER: dict[str, Any] = {"started": "2026-11-23T12:00:00Z", "finished": "2026-11-23T12:00:09Z"}
STEP_LATER: dict[str, Any] = {"started": "2026-11-23T12:00:01Z", "finished": "2026-11-23T12:00:02Z"}


@pytest.fixture(autouse=True)
def _handed_over(away_from_settings: None, tmp_path: Path) -> None:
    put(tmp_path, "handover/plan.json", seal(PLAN))


def _put(name: str, text: bytes) -> str:
    return str(put(Path.cwd(), name, text))


def _runs() -> list[RunFolder]:
    return list(runs(Path("runs")))


def _events() -> list[str]:
    (run,) = _runs()
    return [line.event for line in run.whole_journal().lines]


@pytest.fixture
def imported(capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Imports with --json; gives the exit code and the document."""

    def run(*arguments: str) -> tuple[int, ImportDocument]:
        code = main(["import", *arguments, "--json"])
        return code, msgspec.json.decode(capfdbinary.readouterr().out, type=ImportDocument)

    return run


@pytest.fixture
def refused(capfdbinary: pytest.CaptureFixture[bytes]) -> Any:
    """Imports what is not to be taken; gives the exit code and the one line on stderr."""

    def run(*arguments: str) -> tuple[int, str]:
        code = main(["import", *arguments])
        told = capfdbinary.readouterr()
        assert told.out == b""
        (line,) = told.err.decode().splitlines()
        return code, line

    return run


def test_a_result_becomes_a_run(imported: Any) -> None:
    code, document = imported(_put("handover/1-ca01/result.json", DONE))
    assert (code, document.done, document.plan_id) == (0, True, digest(PLAN))
    assert [(one.id, one.state, one.target) for one in document.actions] == [(1, "done", HOST), (2, "done", HOST)]
    (run,) = _runs()
    assert (run.name, str(run.path)) == (document.run, document.folder)
    assert run.sealed() == seal(PLAN)
    assert [path.read_bytes() for path in (run.path / "results").iterdir()] == [DONE]
    assert _events() == ["opened", "imported", "begin", "done", "begin", "done"]
    (told,) = document.results
    assert (told.kind, told.account, told.exit_code, told.message) == (
        "change", "CONTOSO\\anna", 0, "All of it is done."
    )  # fmt: skip


def test_the_document_is_exactly_its_type(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["import", _put("handover/1-ca01/result.json", KILLED), "--json"]) == 2
    text = capfdbinary.readouterr().out
    read = msgspec.json.decode(text, type=ImportDocument)
    assert msgspec.json.decode(msgspec.json.encode(read)) == msgspec.json.decode(text)


def test_people_read_a_summary(capsys: pytest.CaptureFixture[str]) -> None:
    _put("handover/1-ca01/result.json", KILLED)
    assert main(["import", "handover"]) == 2
    (run,) = _runs()
    assert capsys.readouterr().out.splitlines() == [
        f"change.ps1 on {HOST}, by CONTOSO\\anna, begun 2026-11-23T10:00:00Z, never ended",
        "    it was ended from outside and could not say how far it came",
        "",
        f"Plan {digest(PLAN)[:12]}: 1 of 2 actions are done",
        f"  done          1. change 1   ({HOST})",
        f"  unresolved    2. change 2   ({HOST})",
        f"unresolved on {HOST}: run change.ps1 there again: it reads everything first, and finishes what is missing",
        *_owed(HOST),
        f"Kept in {run.path}",
    ]


def _owed(host: str) -> tuple[str, ...]:
    return (
        f"A restart of CertSvc on {host} is owed: what was written there is not in force yet",
        "    run the script there again (it restarts at its end), or there, elevated: Restart-Service -Name CertSvc",
        "    a new plan does not find this: the value reads as wanted, whatever the service has in memory",
    )


def test_a_restart_that_is_owed_is_told_until_it_is_done(imported: Any) -> None:
    killed = record(PLAN, step(VALUE, "changed"), step(RESTART, "not reached"), finished="", exit_code=4, message="")
    _, document = imported(_put("handover/1/result.json", killed))
    assert document.restarts_owed == (HOST,)
    again = record(PLAN, step(VALUE, "changed"), step(RESTART, "changed", **STEP_LATER), **LATER)
    code, document = imported(_put("handover/1/result.json", again))
    assert (code, document.restarts_owed) == (0, ())
    times = {"started": "2026-11-23T13:00:01Z", "finished": "2026-11-23T13:00:02Z"}
    undone = record(
        PLAN, step(VALUE, "changed", undo=True, **times), step(RESTART, "declined"), kind="rollback",
        started="2026-11-23T13:00:00Z", finished="2026-11-23T13:00:09Z", exit_code=4,
    )  # fmt: skip
    _, document = imported(_put("handover/1/rollback-result.json", undone))
    assert document.restarts_owed == (HOST,), "what was undone is not in force either"


def test_what_a_name_holds_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    text = record(PLAN, step(VALUE, "changed", detail="\x1b[2J\n\u202e"), account="a\x07", message="x\ny")
    assert main(["import", _put("handover/result.json", text)]) == 2
    out = capsys.readouterr().out
    assert all(letter.isprintable() or letter == "\n" for letter in out)
    assert "\\x1b[2J\\n\\u202e" in out


def test_a_killed_run_is_unresolved_until_a_second_one_tells(imported: Any) -> None:
    path = _put("handover/1-ca01/result.json", KILLED)
    code, document = imported(path)
    assert (code, [one.state for one in document.actions]) == (2, ["done", "unresolved"])
    again = record(PLAN, step(VALUE, "changed"), step(RESTART, "changed", **STEP_LATER), **LATER)
    code, document = imported(_put("handover/1-ca01/result.json", again))
    assert (code, [one.state for one in document.actions]) == (0, ["done", "done"])
    assert len(_runs()) == 1
    first, second = ["imported", "begin", "done", "begin", "failed"], ["imported", "begin", "done"]
    assert _events() == ["opened", *first, *second]


def test_a_rollback_and_a_verification_are_told(imported: Any) -> None:
    undone = record(PLAN, step(VALUE, "changed", undo=True, **STEP_LATER), kind="rollback", **LATER)
    code, document = imported(_put("handover/1/result.json", DONE), _put("handover/1/rollback-result.json", undone))
    assert (code, [one.state for one in document.actions]) == (2, ["undone", "done"])
    assert [one.kind for one in document.results] == ["change", "rollback"]
    stands = record(
        PLAN, step(VALUE, "not as wanted"), kind="verify", exit_code=2, message="The problem stands.", **LATER
    )
    code, document = imported(_put("handover/1/verify-result.json", stands))
    assert (code, [one.state for one in document.actions]) == (2, ["undone", "done"])


def test_a_value_that_somebody_changed_since_is_told_by_verify(imported: Any) -> None:
    stands = record(PLAN, step(VALUE, "not as wanted"), kind="verify", exit_code=2, **LATER)
    code, document = imported(_put("handover/a/result.json", DONE), _put("handover/a/verify-result.json", stands))
    assert (code, [one.state for one in document.actions]) == (2, ["not as wanted", "done"])


def test_a_refused_run_is_kept_with_its_reason(imported: Any) -> None:
    why = "A value is no longer as approved. Nothing was changed."
    refused = record(PLAN, exit_code=3, phase="comparing", message=why)
    code, document = imported(_put("handover/1/result.refused.json", refused))
    assert (code, [one.state for one in document.actions]) == (2, ["open", "open"])
    assert document.results[0].message == why
    assert _events() == ["opened", "imported", "refused"]


def test_what_was_declined_is_not_done(imported: Any) -> None:
    text = record(PLAN, step(VALUE, "changed"), step(RESTART, "declined"), exit_code=4, message="1 of 2 were declined.")
    code, document = imported(_put("handover/1/result.json", text))
    assert (code, [one.state for one in document.actions]) == (2, ["done", "declined"])


def test_what_differs_from_the_plan_is_told_and_ends_with_2(imported: Any) -> None:
    other = step(VALUE, "changed", after={"RequestDisposition": "2"})
    code, document = imported(_put("handover/1/result.json", record(PLAN, other, step(RESTART, "changed"))))
    assert (code, document.done) == (2, False)
    assert document.differs == (f"change.ps1 on {HOST}: 1. change 1: RequestDisposition became 2, the plan says 1",)


def test_several_folders_of_one_plan_become_one_run(imported: Any) -> None:
    plan = make_plan(template(1), disposition(2), disposition(3, OTHER_HOST), restart(4, OTHER_HOST))
    first, second, third, fourth = plan.actions
    Path("handover/plan.json").write_bytes(seal(plan))
    _put("handover/1-directory/result.json", record(plan, step(first, "changed"), target="directory"))
    _put("handover/2-ca01/result.json", record(plan, step(second, "as wanted"), target=HOST))
    away = _put(
        "elsewhere/result.json", record(plan, step(third, "changed"), step(fourth, "changed"), target=OTHER_HOST)
    )
    code, document = imported("handover/1-directory", "handover/2-ca01", away)
    assert (code, [one.state for one in document.actions]) == (0, ["done", "as wanted", "done", "done"])
    assert len(_runs()) == 1


def test_a_folder_is_searched_for_records_only(imported: Any) -> None:
    _put("handover/1-ca01/result.json", DONE)
    _put("handover/1-ca01/notes.json", b"{}")
    _put("handover/1-ca01/result.json.new", b"half")
    _put("handover/1-ca01/change.ps1", b"")
    _put("handover/1-ca01/Copy of RESULT (1).json", DONE)
    code, document = imported("handover")
    assert (code, len(document.results)) == (0, 1)


def test_a_zip_is_taken_as_it_came(imported: Any) -> None:
    with zipfile.ZipFile("back.zip", "w") as archive:
        archive.writestr("handover/plan.json", seal(PLAN))
        archive.writestr("handover/1-ca01/result.json", DONE)
        archive.writestr("handover/1-ca01/change.ps1", "signed")
    Path("handover/plan.json").unlink()
    code, document = imported("back.zip")
    assert (code, len(document.results), document.done) == (0, 1, True)


APPLE = b"\x00\x05\x16\x07\x00\x02\x00\x00Mac OS X"
FOREIGN = {
    "handover/1-ca01/test-results.json": b'{"passed": 3}',
    "handover/other/result.json": b'[{"status": "ok"}]',
    "handover/1-ca01/lint-result.json": b"no JSON at all",
    "handover/1-ca01/empty-results.json": b"",
}


def _zipped(files: dict[str, bytes]) -> str:
    with zipfile.ZipFile("back.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return "back.zip"


@pytest.mark.parametrize("zipped", [True, False])
def test_what_other_programs_have_left_is_skipped_and_told(zipped: bool, imported: Any) -> None:
    ours = {"handover/1-ca01/result.json": DONE, "handover/plan.json": seal(PLAN)}
    apple = {"__MACOSX/handover/1-ca01/._result.json": APPLE, "handover/1-ca01/._verify-result.json": APPLE,
             "handover/other/plan.json": b'{"resource_changes": []}'}  # fmt: skip
    files = ours | FOREIGN | apple
    for name, text in files.items() if not zipped else ():
        _put(name, text)
    code, document = imported(_zipped(files) if zipped else "handover")
    assert (code, len(document.results), document.done) == (0, 1, True)
    left = {Path(one.replace("\\", "/").rpartition("handover/")[2]).name for one in document.left_out}
    assert left == {"test-results.json", "result.json", "lint-result.json", "empty-results.json"}


def test_what_was_skipped_is_told_to_people(capsys: pytest.CaptureFixture[str]) -> None:
    _put("handover/1-ca01/result.json", DONE)
    _put("handover/1-ca01/test-results.json", b"{}")
    assert main(["import", "handover"]) == 0
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("left out")]
    assert told == [f"left out, it is no record of these scripts: {Path('handover/1-ca01/test-results.json')}"]


@pytest.mark.parametrize("name", sorted(FOREIGN))
def test_a_file_that_is_named_is_not_skipped(name: str, refused: Any) -> None:
    code, line = refused(_put(name, FOREIGN[name]))
    assert (code, "this is no result of a script" in line) == (1, True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("result.json", b""),
        ("rollback-result.json", b"half"),
        ("result.1f3a90bc.json", b"\x00\x00"),
        ("Copy of my result.json", DONE[: len(DONE) // 2]),
        ("Copy of my result.json", DONE.replace(b"anna", b"hans")),
    ],
)
def test_a_record_of_ours_that_is_torn_or_edited_is_not_skipped(name: str, text: bytes, refused: Any) -> None:
    _put("handover/1-ca01/verify-result.json", record(PLAN, step(VALUE, "as wanted"), kind="verify", **LATER))
    _put(f"handover/1-ca01/{name}", text)
    code, line = refused("handover")
    assert code in (1, 3)
    assert name in line
    assert not _runs()


def test_nothing_but_the_files_of_others_is_no_result(refused: Any) -> None:
    _put("handover/1-ca01/test-results.json", b"{}")
    code, line = refused("handover")
    assert (code, "handover: no result is there" in line) == (64, True)


def test_a_rollback_is_told_by_what_it_undoes_and_not_by_its_clock(imported: Any) -> None:
    change = sealed(body(PLAN, step(VALUE, "changed"), step(RESTART, "changed")))
    digest_of_it = json.loads(change)["sha256"]
    early: dict[str, Any] = {"started": "2026-11-23T09:00:01Z", "finished": "2026-11-23T09:00:02Z"}
    undone = record(
        PLAN, step(VALUE, "changed", undo=True, **early), step(RESTART, "changed", **early), kind="rollback",
        started="2026-11-23T09:00:00Z", finished="2026-11-23T09:00:09Z", undoes=digest_of_it,
    )  # fmt: skip
    paths = _put("handover/1/rollback-result.json", undone), _put("handover/1/result.json", change)
    code, document = imported(*paths)
    assert (code, [one.state for one in document.actions]) == (2, ["undone", "done"])
    (run,) = _runs()
    assert [line.follows for line in run.whole_journal().lines if line.event == "imported"] == [digest_of_it, ""]


def test_the_plan_is_found_in_the_run_that_has_it(imported: Any, refused: Any) -> None:
    Path("handover/plan.json").rename("approved.json")
    code, line = refused(_put("back/killed.json", KILLED))
    assert code == 64
    assert line == (
        f"remediate: there is no plan.json with the results, and no run of plan {digest(PLAN)[:12]}. "
        "Name the plan with --plan."
    )
    assert imported("back/killed.json", "--plan", "approved.json")[0] == 2
    Path("approved.json").unlink()
    again = record(PLAN, step(VALUE, "changed"), step(RESTART, "changed", **STEP_LATER), **LATER)
    assert imported(_put("back/result.json", again))[0] == 0
    assert len(_runs()) == 1


def test_a_plan_that_is_newer_is_not_taken_for_that_of_the_run(imported: Any) -> None:
    assert imported(_put("handover/1/killed.json", KILLED))[0] == 2
    Path("handover/plan.json").write_bytes(seal(make_plan(disposition(1))))
    again = record(PLAN, step(VALUE, "changed"), step(RESTART, "changed", **STEP_LATER), **LATER)
    assert imported(_put("handover/1/result.json", again))[0] == 0


def _cut() -> bytes:
    return DONE[: len(DONE) // 2]


def _edited() -> bytes:
    return DONE.replace(b"anna", b"hans")


_ASK = "Ask for the file again, as the script wrote it."


@pytest.mark.parametrize(
    ("text", "code", "words"),
    [
        (_cut(), 1, f"this is no result of a script, or it is cut off. {_ASK}"),
        (DONE.rstrip()[:-1], 1, f"this is no result of a script, or it is cut off. {_ASK}"),
        (b"", 1, f"this is no result of a script, or it is cut off. {_ASK}"),
        (_edited(), 3, f"the result was changed after the script wrote it. {_ASK}"),
        (record(PLAN, format_version="2.0"), 1, "result format 2.0 is not known. Update remediate."),
        (record(PLAN, target=OTHER_HOST), 3, f"the plan has nothing to do on {OTHER_HOST}. {_ASK}"),
        (record(PLAN, step(VALUE, "changed", id=9)), 3, f"step 9 is not one of the plan's on {HOST}. {_ASK}"),
        (
            record(PLAN, plan_id="0" * 64), 3,
            f"the result is of another plan (it belongs to plan {'0' * 12}, not to {digest(PLAN)[:12]}). "
            "Import it with its own plan.",
        ),
    ],
)  # fmt: skip
def test_what_must_not_be_taken_is_refused_in_one_line(text: bytes, code: int, words: str, refused: Any) -> None:
    good, path = _put("handover/1/good-result.json", DONE), _put("handover/1/result.json", text)
    got, line = refused(path)
    assert (got, line) == (code, f"remediate: {path}: {words}")
    assert refused(good, path)[0] == code
    assert not _runs(), "nothing is kept unless all are accepted"


def test_results_of_two_plans_are_refused(refused: Any) -> None:
    other = make_plan(disposition(1))
    code, line = refused(
        _put("handover/1/result.json", DONE),
        _put("other/1/result.json", record(other, step(other.actions[0], "changed"), **LATER)),
    )
    assert code == 3
    assert "the results are of two plans" in line
    assert "Import the results of each plan by themselves." in line


def test_the_same_again_is_refused(imported: Any, refused: Any) -> None:
    path = _put("handover/1-ca01/result.json", DONE)
    assert imported(path)[0] == 0
    (run,) = _runs()
    before = (run.path / "journal.jsonl").read_bytes()
    for named in (path, "handover"):
        code, line = refused(named)
        assert code == 3
        assert line.endswith(f"it was imported before (into {run.name}). There is nothing to import.")
    assert (run.path / "journal.jsonl").read_bytes() == before


def test_a_folder_that_came_again_with_more_gives_what_is_new(imported: Any) -> None:
    path = _put("handover/1-ca01/result.json", KILLED)
    assert imported("handover")[0] == 2
    stands = record(PLAN, step(VALUE, "as wanted"), step(RESTART, "not as wanted"), kind="verify", exit_code=2, **LATER)
    _put("handover/1-ca01/verify-result.json", stands)
    code, document = imported("handover")
    assert [one.kind for one in document.results] == ["verify"]
    assert [Path(one) for one in document.held_before] == [Path(path).relative_to(Path.cwd())]
    assert (code, [one.state for one in document.actions]) == (2, ["done", "not as wanted"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("missing.json",), 1, "missing.json: it does not exist"),
        (("empty",), 64, "empty: no result is there. Name result.json, or the folder or .zip file it is in."),
        (("torn.zip",), 1, "torn.zip: the .zip file is torn or encrypted"),
        (("ok/result.json", "--plan", "missing.json"), 1, "missing.json: cannot be read"),
        (("ok/result.json", "--plan", "empty.json"), 1, "empty.json: this is not a plan"),
        (("ok/result.json", "--plan", "edited.json"), 3, "edited.json: the plan was changed after it was sealed"),
        (("ok/result.json", "--plan", "plan.json", "--runs", "empty.json/runs"), 1, "empty.json/runs: cannot be"),
    ],
)
def test_what_cannot_be_used_is_told(arguments: tuple[str, ...], code: int, words: str, refused: Any) -> None:
    Path("empty").mkdir()
    _put("torn.zip", b"PK\x03\x04 nonsense")
    _put("ok/result.json", DONE)
    _put("plan.json", seal(PLAN))
    _put("edited.json", seal(PLAN).replace(b"change 1", b"change 7"))
    _put("empty.json", b"{}")
    got, line = refused(*arguments)
    assert (got, line.replace("\\", "/").startswith(f"remediate: {words}")) == (code, True), line


def test_a_failure_is_a_document_where_json_is_asked_for(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["import", _put("handover/result.json", _edited()), "--json"]) == 3
    error = msgspec.json.decode(capfdbinary.readouterr().out, type=ErrorDocument).error
    assert (error.exit_code, error.what) == (3, "the result was changed after the script wrote it")


@pytest.mark.parametrize("name", ["journal.jsonl", "journal.end", "plan.json"])
def test_a_run_that_was_edited_is_not_continued(name: str, imported: Any, refused: Any) -> None:
    assert imported(_put("handover/1/killed.json", KILLED))[0] == 2
    (run,) = _runs()
    path = run.path / name
    path.write_bytes(
        path.read_bytes().replace(b"anna", b"hans").replace(b"6 ", b"5 ").replace(b"change 1", b"change 7")
    )
    before = {one: one.read_bytes() for one in run.path.rglob("*") if one.is_file()}
    code, line = refused(_put("handover/1/result.json", DONE))
    assert (code, "edited" in line or "was changed after it was sealed" in line) == (3, True), line
    assert str(run.path) in line
    assert {one: one.read_bytes() for one in run.path.rglob("*") if one.is_file()} == before
    assert len(_runs()) == 1


def test_a_run_whose_last_line_is_torn_is_not_continued(imported: Any, refused: Any) -> None:
    assert imported(_put("handover/1/killed.json", KILLED))[0] == 2
    (run,) = _runs()
    with (run.path / "journal.jsonl").open("ab") as file:
        file.write(b'{"at":"2026')
    code, line = refused(_put("handover/1/result.json", DONE))
    assert (code, "the last line of the journal was not written to its end" in line) == (3, True)


def test_an_import_that_is_under_way_is_waited_for_and_then_told(refused: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("remediate.runs.folder.held", partial(held, wait=0.1))  # nobody wants to wait for 5 seconds
    Path("runs").mkdir()
    lock = Path("runs") / f".{digest(PLAN)[:16]}.lock"
    lock.write_text("process 4711 on ws7 since 2026-11-23T10:00:00Z")
    code, line = refused(_put("handover/1/result.json", DONE))
    assert (code, "another remediate is at work here (process 4711 on ws7" in line) == (3, True)
    lock.unlink()
    assert main(["import", "handover"]) == 0


def test_imports_at_once_make_one_run_and_one_of_each_line() -> None:
    plan = make_plan(*(disposition(number, f"ca{number}.contoso.test") for number in range(1, 7)))
    put(Path.cwd(), "many/plan.json", seal(plan))
    paths = [
        _put(f"many/{one.id}/result.json", record(plan, step(one, "changed"), target=f"ca{one.id}.contoso.test"))
        for one in plan.actions
    ]
    program = [sys.executable, "-m", "remediate.cli.main", "import"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    started = [subprocess.Popen([*program, path], env=environment, stdout=subprocess.DEVNULL) for path in paths]
    codes = sorted(process.wait(timeout=60) for process in started)
    assert codes == [0, 2, 2, 2, 2, 2], "only the last finds everything done"
    assert sorted(_events()) == sorted(["opened", *["imported", "begin", "done"] * 6])
    assert not list(Path("runs").glob(".*"))


def test_nothing_secret_is_needed_and_nothing_is_left_beside(imported: Any) -> None:
    imported(_put("handover/1/result.json", DONE))
    (run,) = _runs()
    assert [path.name for path in Path("runs").iterdir()] == [run.name]
    row = json.loads((run.path / "journal.jsonl").read_bytes().splitlines()[1])
    assert set(row) == {"at", "event", "source", "target", "detail", "by", "previous"}


def test_a_target_s_name_is_no_way_out_of_the_run(imported: Any) -> None:
    plan = make_plan(disposition(1, "..\\../../evil:x"))
    Path("handover/plan.json").write_bytes(seal(plan))
    text = record(plan, step(plan.actions[0], "changed"), target="..\\../../evil:x")
    assert imported(_put("handover/1/result.json", text))[0] == 0
    (run,) = _runs()
    (kept,) = (run.path / "results").iterdir()
    assert kept.name.startswith(".._.._.._evil_x-change-")


@pytest.mark.parametrize("encode", [lambda text: b"\xef\xbb\xbf" + text, lambda text: text.decode().encode("utf-16")])
def test_a_record_that_was_saved_in_another_encoding_still_imports(encode: Any, imported: Any) -> None:
    text = record(PLAN, step(VALUE, "changed"), step(RESTART, "changed"), account="CONTOSO\\\u00e5sa")
    code, document = imported(_put("handover/1/result.json", encode(text)))
    assert (code, document.results[0].account) == (0, "CONTOSO\\\u00e5sa")


SIGNATURE = b"# SIG # Begin signature block\r\n# MIIFlAYJKoZIhvcNAQcCoIIFhTCCBYECAQExCzAJBgUrDgMCGgUAMGkGCisGAQQB\r\n"
SIGNATURE += b"# SIG # End signature block\r\n"


@pytest.mark.skipif(os.name == "nt", reason="the stand-ins run on Linux")
def test_what_signed_scripts_really_write_imports_run_after_run(tmp_path: Path, imported: Any) -> None:
    from tests.powershell import handover as handed_over
    from tests.powershell.engine import Engine
    from tests.powershell.windows_like import make

    plan = handed_over.make_plan(handed_over.disposition(), handed_over.restart(depends_on=(1,)))
    engine = Engine()
    desk = handed_over.Desk.lay_out(handed_over.ready(make(tmp_path)), plan, engine)
    for name in ("change", "rollback", "verify"):
        script = desk.folder / f"{name}.ps1"
        script.write_bytes(script.read_bytes() + SIGNATURE)

    def back(run: Callable[[], Any]) -> tuple[int, list[str]]:
        time.sleep(1.1)  # as long as a PowerShell of its own would take to start: records count in seconds
        ended = run()
        code, document = imported(str(desk.folder))
        assert [one.exit_code for one in document.results] == [ended.code], ended.text
        assert document.differs == ()
        return code, [one.state for one in document.actions]

    try:
        assert back(desk.change) == (0, ["done", "done"])
        assert back(desk.verify) == (0, ["done", "done"])
        assert back(desk.change) == (0, ["done", "done"])
        assert back(desk.rollback) == (2, ["undone", "done"])
        assert back(desk.verify)[0] == 2
        assert back(desk.change) == (0, ["done", "done"])
        assert back(desk.verify) == (0, ["done", "done"])
    finally:
        engine.close()
    assert _events().count("begin") == _events().count("done") == 6, "value and restart: changed, undone, changed"
