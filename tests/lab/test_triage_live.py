"""What the lab's hosts answer is read by triage as any other input."""

from __future__ import annotations

import io
from datetime import UTC, datetime

import msgspec

from remediate.triage.counting import count
from remediate.triage.signatures import load
from remediate.triage.sources import Stream, read
from remediate.triage.summary import make_report
from tests.lab.estate import Lab
from tests.lab.test_collectors_live import read_ca


def test_event_128_of_a_ca_shows_in_its_document(fresh_lab: Lab) -> None:
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    event = {"LogName": "Application", "ProviderName": "Microsoft-Windows-CertificationAuthority", "Id": 128}
    fresh_lab.ca.change_state(events=[event | {"TimeCreated": now, "Properties": ["17"]}])
    document = msgspec.json.encode(read_ca(fresh_lab))
    signatures = load()
    items = read([Stream("ca.json", io.BytesIO(document))], signatures.needles, jobs=1)
    (problem,) = make_report(count(items, signatures), where="").problems
    assert (problem.kind, problem.signature, problem.hosts) == ("warning", "event_128", ("ca01",))
    assert problem.first[:19] == now[:19]
    assert "requests 17" in problem.proof[0].text
