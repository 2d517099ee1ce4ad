"""A directory without an enrollment service is a problem of its own, and never fine."""

from __future__ import annotations

from pathlib import Path

import msgspec

from remediate.engine.planning import PlanOptions, make_plan
from remediate.model.errors import ExitCode
from remediate.model.fact import Fact
from remediate.transports.bundle import read_bundle

HEALTHY = Path(__file__).parents[2] / "examples" / "contoso-healthy"


def test_a_directory_without_an_enrollment_service_is_told() -> None:
    snapshot = read_bundle((HEALTHY,))
    assert snapshot.directory is not None
    entries = snapshot.directory.public_key_services.need_value("test")
    left = [entry for entry in entries if "pKIEnrollmentService" not in entry.texts("objectClass")]
    bare = msgspec.structs.replace(snapshot.directory, public_key_services=Fact(value=left))
    plan = make_plan(msgspec.structs.replace(snapshot, directory=bare), PlanOptions(playbooks=("setup_requirements",)))
    assert [finding.cause for finding in plan.findings] == ["directory_has_no_ca"]
    assert plan.exit_code is ExitCode.FINDINGS


def test_two_cas_of_one_name_are_told_apart_by_their_hosts() -> None:
    snapshot = read_bundle((HEALTHY,))
    (first,) = snapshot.certification_authorities
    machine = msgspec.structs.replace(
        first.machine, computer_name="CA02", dns_host_name=Fact(value="ca02.contoso.test")
    )
    held = msgspec.structs.replace(
        first, machine=machine, read_from="ca02.contoso.test", request_disposition=Fact(value=0x101)
    )
    both = tuple(msgspec.structs.replace(document, request_disposition=Fact(value=0x101)) for document in (first, held))
    plan = make_plan(
        msgspec.structs.replace(snapshot, certification_authorities=both),
        PlanOptions(playbooks=("submission_pending",)),
    )
    ids = [finding.id for finding in plan.findings]
    assert len(ids) == len(set(ids)) == 2
    assert all(" on ca0" in name for name in ids)
