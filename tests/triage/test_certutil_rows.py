"""A row of `certutil -view` is one record, wherever the text is cut."""

from __future__ import annotations

import io
import time
from datetime import UTC

import pytest

from remediate.triage import plain
from remediate.triage.counting import count
from remediate.triage.needles import Search
from remediate.triage.records import Record
from remediate.triage.signatures import load
from remediate.triage.sources import Stream, read
from remediate.triage.sources_origin import Origin
from tests.triage.sources_material import found_in
from tests.triage.test_sources_plain import piped


def view(
    number: int, *, row: str = "Row", code: str = "0x80094812 (-2146875374 CERTSRV_E_SUBJECT_EMAIL_REQUIRED)"
) -> str:
    return (
        f"\r\n{row} {number}:\r\n  Request ID: 0x{number:x} ({number})\r\n"
        "  Request Disposition: 0x1f (31) -- Denied\r\n"
        f"  Request Status Code: {code}\r\n  Request Submission Date: 11/20/2026 9:00 AM\r\n"
        '  Request Disposition Message: "Denied by Policy Module"\r\n  Requester Name: "CONTOSO\\CONN1$"\r\n'
        f'  Request Common Name: "Anna {number}"\r\n  Certificate Template: "IntunePKCS"\r\n'
    )


SCHEMA = "Schema:\r\n  Column Name                   Localized Name                Type    MaxLength\r\n"
WHOLE = SCHEMA + "".join(map(view, range(1, 40))) + "\r\nMaximum Row Index: 39\r\n\r\n39 Rows\r\n"


def counts(text: bytes) -> dict[str, int]:
    fold = count(read([Stream("-", io.BytesIO(text))], load().needles), load())
    return {symptom.signature or symptom.code: tally.count for symptom, tally in fold.tallies.items()}


def test_a_row_is_one_record() -> None:
    found = found_in(piped(WHOLE))
    assert [record.position for record in found.records][:2] == [4, 14]
    first = found.records[0]
    assert first.text.startswith("Row 1:\nRequest ID: 0x1 (1)\n") and first.text.endswith('IntunePKCS"')
    assert (first.data, first.when, first.zone) == ({"RequestId": "1"}, "2026-11-20T09:00:00.000Z", "local")
    assert found.scanned == WHOLE.count("\n")


def test_the_code_of_a_row_decides_over_its_message() -> None:
    assert counts(WHOLE.encode()) == {"subject_email_required": 39}
    assert counts(view(1, row="Zeile").encode()) == {"subject_email_required": 1}
    assert counts(view(1, code="0x0").encode()) == {"denied_by_policy_module": 1}


def test_a_row_is_whole_across_chunks() -> None:
    origin = Origin("-", Search(load().needles), UTC)
    data = WHOLE.encode()
    for length in (97, 256, 1000, 5000):
        chunks = [data[at : at + length] for at in range(0, len(data), length)]
        records = [item for item in plain.scan(chunks, origin) if isinstance(item, Record)]
        assert [record.data["RequestId"] for record in records] == [str(number) for number in range(1, 40)]
        assert [record.position for record in records] == [4 + 10 * number for number in range(39)]


def test_dumps_of_columns_belong_to_the_row() -> None:
    dump = "  Binary Request:\n-----BEGIN CERTIFICATE-----\nMIIEpA==\n-----END CERTIFICATE-----\n\n"
    text = (
        "Row 1:\n"
        + dump
        + "  Request Status Code: 0x80094812\n  Request Disposition Message: Denied by Policy Module\n"
    )
    assert counts(text.encode()) == {"subject_email_required": 1}


@pytest.mark.parametrize(
    "text",
    [
        "0x80094812\n  Denied by Policy Module\n",
        "Row 1:\nno column 0x80094812\n  Denied by Policy Module\n",
        "Row 1:\n  x: 0x80094812\nplain text\n  Denied by Policy Module\n",
    ],
)
def test_what_is_no_row_is_read_by_lines(text: str) -> None:
    assert counts(text.encode()) == {"subject_email_required": 1, "denied_by_policy_module": 1}


@pytest.mark.parametrize(
    ("text", "least"),
    [
        ("  0x80094812\n" * 40_000, 40_000),
        ("Row 1:\n" * 80_000, 0),
        ("Row 1:\n" + "  x: 0x80094812\n" * 40_000, 1),
        ("Row 1:\n  x: 0x80094812\n" * 20_000, 20_000),
    ],
)
def test_hostile_rows_cost_little(text: str, least: int) -> None:
    began = time.process_time()
    assert counts(text.encode()).get("subject_email_required", 0) >= least
    assert time.process_time() - began < 8
