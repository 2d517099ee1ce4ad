"""What stands in a CSV outside the columns that are known: no code of it gets lost, and no noise comes in."""

from __future__ import annotations

from pathlib import Path

import pytest

from remediate.triage.needles import Needles
from tests.triage.material import CA
from tests.triage.sources_material import found_in

AT = "2026-11-20 08:00:00"


@pytest.mark.parametrize(
    ("header", "row", "text"),
    [
        ("TimeCreated,Id,ProviderName,Msg", f'{AT},9,Foo,"Submit 0x800706ba"', "Submit 0x800706ba"),
        ("TimeCreated,Id,Details,ProviderName", f"{AT},53,denied 0x80094012,{CA}", "denied 0x80094012"),
        ("TimeCreated;Id;ProviderName;Properties;Text", f"{AT};53;{CA};7;0x80094012", "7; 0x80094012"),
        ("Level,Date and Time,Source,Event ID,Task Category", f"E,{AT},C,1,None,a,0x80094812 b", "a,0x80094812 b"),
        ("TimeCreated,Id,ProviderName,Message", f"{AT},9,Foo,one, two, 0x80094812", "one, two, 0x80094812"),
        ("Message,TimeCreated,Id,ProviderName", f"one, 0x80094812,{AT},9,Foo,", "one, 0x80094812"),
        ("Message,Level,TimeCreated,Id,Why", f"calm,Error,{AT},9,0x80094812", "calm; 0x80094812"),
        ("TimeCreated,Id,Message,Description", f"{AT},9,0x80094812,more", "0x80094812; more"),
        ("Date,TimeCreated,Source,Id,Why", f",{AT},Foo,9,0x80094812", "0x80094812"),
        ("TimeCreated,Id,ProviderName,Message", "and so 0x80094812,x", "and so 0x80094812,x"),
        ("Level,Date and Time,Source,Event ID,Task Category", "because of 0x80094812", "because of 0x80094812"),
    ],
)
def test_text_of_a_csv_that_no_column_names_is_searched(tmp_path: Path, header: str, row: str, text: str) -> None:
    file = tmp_path / "export"
    file.write_text(f"{header}\n{row}\n")
    (record,) = found_in(file, needles=Needles()).records
    assert record.text == text


def test_what_a_csv_says_besides_its_message_does_not_change_its_text(tmp_path: Path) -> None:
    file = tmp_path / "export"
    file.write_text(
        "Level,Id,Message,ProviderId,Properties,TimeCreated\n"
        f'2,53,"denied 0x80094012",7f2c1d3e-0000-4c2d-8e3f-00000000000a,System.Collections.Generic.List,{AT}\n'
    )
    (record,) = found_in(file).records
    assert (record.text, record.event_id) == ("denied 0x80094012", 53)
    assert record.when == "2026-11-20T08:00:00.000Z"
