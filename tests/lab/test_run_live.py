"""`run` without --dry-run asks a person and applies; a check before, verify after, and the JSON of all."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

import msgspec
import pytest

from remediate.model.plan import TargetIdentity, seal
from remediate.render.documents import (
    AppliedDocument,
    CheckDocument,
    ErrorDocument,
    RunsDocument,
    VerifyDocument,
)
from tests.lab import planted
from tests.lab.contoso import ADMIN, READER, Account
from tests.lab.estate import Lab
from tests.lab.handed_over import nothing_written, revision, started_ca
from tests.lab.jea import jea_host
from tests.lab.planting import Ground, ground
from tests.lab.program import ROOT, assert_clean, command, environment
from tests.lab.registry_file import number, text
from tests.lab.test_apply_live import state
from tests.lab.test_interrupt import ASKED, CTRL_C, Terminal, terminal
from tests.lab.unread import unreadable_template
from tests.lab.windows_hosts import CRYPTOGRAPHY, policy_key
from tests.lab.writing_material import disposition, service, writer
from tests.unit.result_material import make_plan as made_plan

JEA = "Remediate"
CTRL_D = b"\x04"
Kind = TypeVar("Kind")
READABLE = planted.ADMINISTRATORS + "(A;;LCRPLORC;;;AU)"
QUESTION = "Type its first 12 digits to apply it now"
PLAYBOOKS = ("submission_pending", "denied_by_policy_module")


def where(lab: Lab) -> list[str]:
    trust = ["--trust", str(lab.trust)]
    return ["--dc", lab.dc, "--connector", lab.connector.fqdn, "--template", "IntunePKCS", *trust]


def variables(folder: Path) -> dict[str, str]:
    return environment(REMEDIATE_RUNS=str(folder / "runs"), NO_COLOR="1")


def runs(folder: Path) -> list[Path]:
    return [path for path in (folder / "runs").glob("*") if not path.name.startswith(".")]


def plant(estate: Ground) -> None:
    estate.set_template_dacl(READABLE)
    planted.waiting_requests(estate)


@contextmanager
def asked(lab: Lab, folder: Path) -> Iterator[Terminal]:
    """The program at its question, after the diff, with everything planted that it would mend."""
    with lab.ticket(ADMIN), terminal(folder, "run", *PLAYBOOKS, *where(lab), variables=variables(folder)) as opened:
        opened.wait_for(QUESTION)
        assert "RequestDisposition 0x101 -> 0x1 on ca01" in opened.text
        order = ("2 problems, 2 changes, 1 restart.", "Rights: ", "The present account has all of them.", "Digest ")
        assert [opened.text.index(one) for one in order] == sorted(opened.text.index(one) for one in order)
        yield opened


def digest_shown(opened: Terminal) -> str:
    found = re.search(r"Digest ([0-9a-f]{64})", opened.text)
    assert found is not None
    return found[1]


def test_the_digest_is_asked_for_and_the_plan_applied(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    with ground(lab) as estate:
        plant(estate)
        first = revision(lab)
        lab.reset()
        with asked(lab, tmp_path) as opened:
            assert nothing_written(lab)
            opened.press(digest_shown(opened)[:12].encode() + b"\n")
            assert opened.exit_code(60) == 0, opened.text
            assert "3 of 3 actions are done" in opened.text
            assert "none of the problems that it mends is found any more" in " ".join(opened.text.split())
            assert_clean(opened.text)
        assert (revision(lab), started_ca(lab.ca)) == (first + 1, 1)
        assert lab.ca.registry.get(policy_key(), "RequestDisposition") == 1
        (run,) = runs(tmp_path)
        assert json.loads((run / "approval.json").read_text())["digest"] == digest_shown(opened)[:12]


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        (b"\n", 3, "this is not the plan that was approved"),
        (b"yes\n", 3, "this is not the plan that was approved"),
        (b"0123456789ab\n", 3, "this is not the plan that was approved"),
        (CTRL_C, 130, "interrupted. Nothing was changed."),
        (CTRL_D, 130, "interrupted. Nothing was changed."),
    ],
    ids=["nothing", "yes", "another digest", "Ctrl-C", "Ctrl-D"],
)
def test_every_other_answer_changes_nothing(
    fresh_lab: Lab, tmp_path: Path, answer: bytes, code: int, said: str
) -> None:
    lab = fresh_lab
    with ground(lab) as estate:
        plant(estate)
        start = state(lab)
        lab.reset()
        with asked(lab, tmp_path) as opened:
            opened.press(answer)
            assert opened.exit_code(20) == code, opened.text
            assert said in opened.text
            assert_clean(opened.text)
        assert (nothing_written(lab), state(lab), runs(tmp_path)) == (True, start, [])


@pytest.mark.parametrize("verb", ["run", "verify"])
def test_a_password_is_asked_for_once(fresh_lab: Lab, tmp_path: Path, verb: str) -> None:
    """Reading, writing and detecting again are one run, by one account; there is no keyring and no ticket."""
    lab = fresh_lab
    alone = {name: value for name, value in variables(tmp_path).items() if name != "KRB5CCNAME"}
    alone |= {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    with ground(lab) as estate:
        plant(estate)
        if verb == "run":
            given, code = ["run", *PLAYBOOKS, *where(lab)], 0
        else:
            given, code = ["verify", planned(lab, tmp_path)[0], "--trust", str(lab.trust)], 2
        with terminal(tmp_path, *given, "--user", ADMIN.upn, variables=alone) as opened:
            opened.wait_for(ASKED)
            opened.press(ADMIN.password.encode() + b"\n")
            if verb == "run":
                opened.wait_for(QUESTION)
                opened.press(digest_shown(opened)[:12].encode() + b"\n")
            assert opened.exit_code(60) == code, opened.text
            assert opened.text.count("Password of") == 1
            assert_clean(opened.text)


def program(lab: Lab, folder: Path, *arguments: str, code: int, account: Account = ADMIN) -> tuple[str, str]:
    """Run it away from any terminal; what it wrote to both streams."""
    with lab.ticket(account):
        done = subprocess.run(
            command(*arguments), capture_output=True, stdin=subprocess.DEVNULL, cwd=ROOT, timeout=120, check=False,
            env=variables(folder) | {"KRB5CCNAME": os.environ["KRB5CCNAME"], "REMEDIATE_TRUST": str(lab.trust)},
        )  # fmt: skip
    out, err = done.stdout.decode(), done.stderr.decode()
    assert done.returncode == code, out + err
    assert_clean(out, err)
    return out, err


def document(text: str, kind: type[Kind]) -> Kind:
    """The one document that stands there, whole."""
    read = msgspec.json.decode(text, type=kind)
    assert msgspec.json.decode(msgspec.json.encode(read)) == json.loads(text)
    return read


def test_where_nobody_can_be_asked_it_says_how(fresh_lab: Lab, tmp_path: Path) -> None:
    fresh_lab.reset()
    out, err = program(fresh_lab, tmp_path, "run", *PLAYBOOKS, *where(fresh_lab), code=3)
    assert (out, fresh_lab.relay.searches, runs(tmp_path)) == ("", [], [])
    assert "remediate apply" in err and "--dry-run" in err and "--out" in err


@pytest.mark.parametrize("more", [["--bundle", "examples/contoso-broken"], ["--domain", "contoso.test", "--json"]])
def test_what_nobody_can_apply_is_a_usage_error(fresh_lab: Lab, tmp_path: Path, more: list[str]) -> None:
    with terminal(tmp_path, "run", "submission_pending", *more, variables=variables(tmp_path)) as opened:
        assert opened.exit_code(20) == 64, opened.text
        assert "--dry-run" in opened.text
    assert fresh_lab.relay.searches == []


def planned(lab: Lab, folder: Path) -> tuple[str, str]:
    """A plan's file and its digest."""
    path = str(folder / "plan.json")
    program(lab, folder, "plan", *PLAYBOOKS, *where(lab), "--out", path, code=2)
    return path, str(json.loads(Path(path).read_text())["plan_id"])


def test_every_verb_gives_one_document(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    with ground(lab) as estate:
        plant(estate)
        plan, approved = planned(lab, tmp_path)
        check = document(program(lab, tmp_path, "apply", plan, "--check", "--json", code=0)[0], CheckDocument)
        assert {one.state for one in check.targets} == {"the plan's"}
        assert [(one.state, one.lacks) for one in check.actions] == [("as approved", "")] * 3
        before = document(program(lab, tmp_path, "verify", plan, "--json", code=2)[0], VerifyDocument).verification
        assert {finding.playbook for finding in before.still_found} == set(PLAYBOOKS)

        given = ("--approve", approved, "--ticket", "CHG1", "--approved-by", "anna", "--json")
        applied = document(program(lab, tmp_path, "apply", plan, *given, code=0)[0], AppliedDocument)
        assert [one.state for one in applied.actions] == ["done"] * 3
        assert (applied.approval.ticket, applied.approval.approved_by) == ("CHG1", "anna")
        assert applied.verification is not None
        assert (applied.verification.as_wanted, applied.verification.still_found) == (True, ())
        assert [effect.partition(" ")[0] for effect in applied.takes_effect] == ["after"]
        assert "after replication" in applied.takes_effect[0]
        refused = document(program(lab, tmp_path, "apply", plan, *given, code=3)[0], ErrorDocument).error
        assert refused.what == "the plan was applied already"
        assert "applied already" in program(lab, tmp_path, "apply", plan, "--check", code=3)[0]

        (run,) = document(program(lab, tmp_path, "runs", "--json", code=0)[0], RunsDocument).runs
        assert (run.run, run.ended, run.source, run.trouble) == (applied.run, 0, "apply", "")
        assert run.approval == applied.approval
        assert program(lab, tmp_path, "rollback", run.run, "--json", code=2)[0].startswith("{")
        after = document(program(lab, tmp_path, "verify", run.run, "--json", code=0)[0], VerifyDocument)
        assert [one.state for one in after.verification.actions] == ["as wanted"] * 3


def test_what_verify_finds_again(fresh_lab: Lab, tmp_path: Path) -> None:
    """A value that stands and a problem that stands all the same are two things, and so is what cannot be read."""
    lab = fresh_lab
    with ground(lab) as estate:
        plant(estate)
        plan, approved = planned(lab, tmp_path)
        program(lab, tmp_path, "apply", plan, "--approve", approved, code=0)
        lab.reset()
        estate.set_template_dacl(READABLE)
        out, _ = program(lab, tmp_path, "verify", plan, code=2)
        assert "not as wanted  1. template IntunePKCS: CONTOSO\\CONN1$ gets Enroll" in out
        assert "still found    denied_by_policy_module" in out
        assert "submission_pending" not in out
        out, _ = program(lab, tmp_path, "verify", plan, code=1, account=READER)
        assert "not read       2. RequestDisposition" in out
        assert nothing_written(lab)


def test_a_check_tells_everything_that_is_missing(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    with ground(lab) as estate:
        plant(estate)
        plan, approved = planned(lab, tmp_path)
        lab.reset()
        told = document(
            program(lab, tmp_path, "apply", plan, "--check", "--json", code=3, account=READER)[0], CheckDocument
        )
        template, value, restart = told.actions
        assert "change the permissions (WRITE_DAC)" in str(template.lacks)
        assert "WinRM" in str(value.lacks) and "WinRM" in str(restart.lacks)
        assert template.state == "as approved"
        assert [(one.name, one.state) for one in told.targets] == [
            ("directory", "the plan's"), ("ca01.contoso.test", "not read")
        ]  # fmt: skip
        out, _ = program(lab, tmp_path, "apply", plan, "--check", code=3, account=READER)
        assert out.count("lacks: ") == 3 and "a right is missing for 1, 2, 3" in out
        program(lab, tmp_path, "apply", plan, "--approve", approved, code=3, account=READER)
        assert (nothing_written(lab), runs(tmp_path)) == (True, [])


def test_a_template_that_may_not_be_read_is_unknown_and_not_refused(fresh_lab: Lab, tmp_path: Path) -> None:
    """Whoever may write an object and not read it is no other object's reader."""
    lab = fresh_lab
    with ground(lab) as estate:
        plant(estate)
        plan, approved = planned(lab, tmp_path)
        unreadable_template("LCWPWD")(estate)
        lab.reset()
        told = document(program(lab, tmp_path, "apply", plan, "--check", "--json", code=1)[0], CheckDocument)
        template, value, _ = told.actions
        assert (template.state, template.lacks) == ("not read", "")
        assert "may not read the object" in template.detail
        assert value.state == "as approved"
        out, _ = program(lab, tmp_path, "apply", plan, "--check", code=1)
        assert "unknown: this account may not read the object" in " ".join(out.split())
        assert "efused" not in out
        _, err = program(lab, tmp_path, "apply", plan, "--approve", approved, code=1)
        assert "this account may not read the object" in err
        assert (nothing_written(lab), runs(tmp_path)) == (True, [])


@pytest.mark.parametrize("appears", ["before the plan", "meanwhile"])
def test_another_cause_of_the_same_problem_is_told(fresh_lab: Lab, tmp_path: Path, appears: str) -> None:
    """The CA holds no request any more, and the template's own approval does: the change did not help."""
    lab, pend_all = fresh_lab, 0x2
    with ground(lab) as estate:
        planted.waiting_requests(estate)
        if appears == "before the plan":
            estate.set_template_bits("msPKI-Enrollment-Flag", pend_all)
        path, options = str(tmp_path / "plan.json"), (*where(lab), "--out", str(tmp_path / "plan.json"))
        program(lab, tmp_path, "plan", "submission_pending", *options, code=2)
        if appears == "meanwhile":
            estate.set_template_bits("msPKI-Enrollment-Flag", pend_all)
        approved = str(json.loads(Path(path).read_text())["plan_id"])
        out, _ = program(lab, tmp_path, "apply", path, "--approve", approved, code=5)
        assert "  another cause  submission_pending, template IntunePKCS on Contoso Issuing CA: " in out
        assert "PEND_ALL_REQUESTS" in out and "msPKI-Enrollment-Flag" in out
        assert "2 of 2 stand as wanted, 1 other cause of its problems found." in out
        assert lab.ca.registry.get(policy_key(), "RequestDisposition") == 1
        (run,) = document(program(lab, tmp_path, "runs", "--json", code=0)[0], RunsDocument).runs
        assert run.ended == 5
        again = document(program(lab, tmp_path, "verify", path, "--json", code=2)[0], VerifyDocument).verification
        assert ([one.cause for one in again.other_causes], again.still_found) == (["template_wants_approval"], ())


def test_a_check_names_another_target_and_drift(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    with ground(lab) as estate:
        plant(estate)
        plan, _ = planned(lab, tmp_path)
        lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x2))
        lab.ca.registry.set(CRYPTOGRAPHY, "MachineGuid", text("another"))
        lab.reset()
        told = document(program(lab, tmp_path, "apply", plan, "--check", "--json", code=3)[0], CheckDocument)
        assert [one.state for one in told.targets] == ["the plan's", "another"]
        (drift,) = told.drift
        assert (drift.name, drift.approved, drift.now, drift.wanted) == ("RequestDisposition", "257", "2", "1")
        out, _ = program(lab, tmp_path, "apply", plan, "--check", code=3)
        assert "MachineGuid is another, planned for" in " ".join(out.split())
        assert nothing_written(lab)


def test_a_refused_plan_has_its_drift_in_json(fresh_lab: Lab, tmp_path: Path) -> None:
    lab = fresh_lab
    with ground(lab) as estate:
        plant(estate)
        plan, approved = planned(lab, tmp_path)
        lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x2))
        out, err = program(lab, tmp_path, "apply", plan, "--approve", approved, "--json", code=3)
        (drift,) = document(out, ErrorDocument).error.drift
        assert (drift.approved, drift.now, drift.wanted) == ("257", "2", "1")
        assert [line.split()[0] for line in err.splitlines()[2:5]] == ["approved", "now", "wanted"]


def test_a_plan_is_applied_through_a_jea_endpoint(fresh_lab: Lab, tmp_path: Path) -> None:
    lab, path = fresh_lab, tmp_path / "plan.json"
    with jea_host(lab) as host:
        known = writer(lab, host, configuration_name=JEA)
        target = TargetIdentity(kind="ca", name=host.fqdn, identity=known.identity())
        known.close()
        value = msgspec.structs.replace(disposition(host), id=1, because=(), restarts="CertSvc")
        restart = msgspec.structs.replace(
            service(host, "restart_service", "Running"), id=2, because=(), depends_on=(1,)
        )
        path.write_bytes(seal(made_plan(value, restart, targets=(target,))))
        host.registry.set(policy_key(), "RequestDisposition", number(0x101))
        options = ("--user", ADMIN.upn, "--endpoint", JEA, "--json")
        check = document(program(lab, tmp_path, "apply", str(path), "--check", *options, code=0)[0], CheckDocument)
        assert [one.lacks for one in check.actions] == ["", ""]
        approved = str(json.loads(path.read_text())["plan_id"])
        told = program(lab, tmp_path, "apply", str(path), "--approve", approved, *options, code=0)[0]
        assert [one.state for one in document(told, AppliedDocument).actions] == ["done", "done"]
        assert (host.registry.get(policy_key(), "RequestDisposition"), started_ca(host)) == (1, 1)
