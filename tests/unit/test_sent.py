"""What a run sends, as text and on the disk: whole before it is sent, its owner's alone, and held by the journal."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ldap3.protocol.rfc2849 import _convert_to_ldif

from remediate.actions.states import DESCRIPTOR
from remediate.cli.sending import Sending
from remediate.model.errors import DocumentError
from remediate.model.journal import JournalLine
from remediate.render.as_sent import call_text, modify_text
from remediate.runs.folder import RunFolder
from remediate.runs.sent import SentFiles, altered, host_file

ROOT = Path(__file__).resolve().parents[2]
AT = "2026-11-23T10:00:00Z"
POSIX = pytest.mark.skipif(os.name == "nt", reason="modes and limits of POSIX")
HOST = "ca01.contoso.test"


def _line(sent: dict[str, str], target: str = HOST) -> JournalLine:
    return JournalLine(at=AT, event="done", source="apply", target=target, action=1, sent=sent)


def test_a_call_is_a_line_of_powershell() -> None:
    parameters: dict[str, object] = {
        "Key": r"HKLM:\SOFTWARE\It's", "Name": "Å", "Before": {"a b": None}, "After": {"a b": "1"}, "Path": ["x", "y"],
        "TimeoutSeconds": 30, "Confirm": False,
    }  # fmt: skip
    assert call_text("Set-CaRegistryValue", parameters, AT) == (
        f"# {AT}\r\n"
        "Set-CaRegistryValue -Key 'HKLM:\\SOFTWARE\\It''s' -Name ('' + [char]197) -Before @{\r\n"
        "    'a b' = $null\r\n"
        "} -After @{\r\n"
        "    'a b' = '1'\r\n"
        "} -Path @('x', 'y') -TimeoutSeconds 30 -Confirm:$false\r\n"
    )


def test_a_modify_is_a_change_record_of_ldif() -> None:
    changes: dict[str, list[tuple[str, list[str | bytes]]]] = {
        "revision": [("MODIFY_DELETE", ["3"]), ("MODIFY_ADD", ["4"])],
        DESCRIPTOR: [("MODIFY_REPLACE", [b"\x01\x00"])],
    }
    told = modify_text("CN=Ö,DC=x", changes, controller="dc1.contoso.test", dacl_only=True, at=AT)
    assert told.splitlines() == [
        f"# {AT}: dc1.contoso.test", "dn:: Q049w5YsREM9eA==", "control: 1.2.840.113556.1.4.801 true:: MAMCAQQ=",
        "changetype: modify", "delete: revision", "revision: 3", "-", "add: revision", "revision: 4", "-",
        f"replace: {DESCRIPTOR}", f"{DESCRIPTOR}:: AQA=", "-", "",
    ]  # fmt: skip


@pytest.mark.parametrize("value", ["", "1", " 1", ":1", "<1", "1 ", "a\nb", "ä", "-1509949440"])
def test_ldif_values_are_written_as_ldap3_writes_them(value: str) -> None:
    text = modify_text("DC=x", {"a": [("MODIFY_ADD", [value])]}, controller="dc", dacl_only=False, at=AT)
    (line,) = [line for line in text.splitlines() if line.startswith("a:")]
    assert line == _convert_to_ldif("a", value.encode(), base64=False)


def test_what_is_sent_before_there_is_a_folder_waits_for_it(tmp_path: Path) -> None:
    files = SentFiles()
    files.append("a.ps1", b"one\n")
    assert list(tmp_path.iterdir()) == []
    files.open(tmp_path)
    files.append("a.ps1", b"two\n")
    whole = b"one\ntwo\n"
    assert (tmp_path / "sent" / "a.ps1").read_bytes() == whole
    assert files.marks("a.ps1") == {"a.ps1": f"8 {hashlib.sha256(whole).hexdigest()}"}


def test_functions_are_kept_once_for_each_distinct_text(tmp_path: Path) -> None:
    one, other = "function A { }\r\n", "function B { }\r\n"
    sending = Sending()
    for host, text in (("a", one), ("b", one)):
        sending.to_host(host).script(text)
    sending.into(RunFolder(tmp_path))
    for host, text in (("b", other), ("a", one)):
        sending.to_host(host).script(text)
    functions = {path.name: path.read_bytes().decode() for path in (tmp_path / "sent").glob("functions-*")}
    assert sorted(functions.values()) == [one, other]
    opened = [line for line in (tmp_path / "sent" / "a.ps1").read_text().splitlines() if line.startswith(". ")]
    (name,) = [name for name, text in functions.items() if text == one]
    assert opened == [f'. "$PSScriptRoot/{name}"'] * 2


@POSIX
def test_it_is_its_owners_alone(tmp_path: Path) -> None:
    files = SentFiles()
    files.open(tmp_path)
    files.append("a.ps1", b"one\n")
    for path in (tmp_path / "sent", tmp_path / "sent" / "a.ps1"):
        assert path.stat().st_mode & 0o077 == 0


def test_the_next_process_goes_on_behind_a_line_that_was_torn(tmp_path: Path) -> None:
    first = SentFiles()
    first.open(tmp_path)
    first.append("a.ps1", b"one\n")
    path, marks = tmp_path / "sent" / "a.ps1", first.marks()
    path.write_bytes(b"one\nhal")
    second = SentFiles()
    second.open(tmp_path)
    second.append("a.ps1", b"two\n")
    *_, remark, last = path.read_bytes().splitlines()
    assert (b"not written to its end" in remark, last) == (True, b"two")
    assert altered(tmp_path, [_line(marks), _line(second.marks())]) == ""


@pytest.mark.parametrize(
    ("deed", "told"),
    [
        (lambda path: path.write_bytes(b"One\ntwo\n"), "sent/a.ps1 was changed after it was sent"),
        (lambda path: path.write_bytes(b"one\n"), "sent/a.ps1 was changed after it was sent"),
        (lambda path: path.unlink(), "sent/a.ps1 is missing"),
        (lambda path: path.write_bytes(b"one\ntwo\nmore\n"), ""),
    ],
    ids=["edited", "shortened", "removed", "only longer"],
)
def test_what_was_changed_afterwards_is_told(tmp_path: Path, deed: object, told: str) -> None:
    files = SentFiles()
    files.open(tmp_path)
    files.append("a.ps1", b"one\n")
    earlier = files.marks()
    files.append("a.ps1", b"two\n")
    lines = [_line(earlier), _line(files.marks())]
    assert altered(tmp_path, lines) == ""
    assert callable(deed)
    deed(tmp_path / "sent" / "a.ps1")
    assert altered(tmp_path, lines) == told


def test_a_mark_that_is_none_is_not_believed(tmp_path: Path) -> None:
    files = SentFiles()
    files.open(tmp_path)
    files.append("a.ps1", b"one\n")
    assert altered(tmp_path, [_line({"a.ps1": "much"})]) == "sent/a.ps1 was changed after it was sent"
    assert altered(tmp_path, [_line({"../plan.json": "1 " + "0" * 64})]) == "sent/../plan.json is missing"


def test_the_journal_names_what_is_new_since_its_last_line(tmp_path: Path) -> None:
    sending, lines = Sending(), list[JournalLine]()
    host, directory, record = sending.to_host(HOST), sending.to_directory(), sending.journaling(lines.append)
    sending.into(RunFolder(tmp_path))
    host.call("Get-CertSvcState", {})
    for line in (_line({}), _line({}), _line({}, "directory")):
        record(line)
    directory.modify("DC=x", {"a": [("MODIFY_ADD", ["1"])]}, controller="dc1", dacl_only=False)
    record(_line({}, "directory"))
    record(_line({}, ""))
    assert [sorted(line.sent) for line in lines] == [[host_file(HOST)], [], [], ["directory.ldif"], []]
    assert altered(tmp_path, lines) == ""


def test_no_name_of_a_host_leads_out_of_the_folder() -> None:
    assert host_file("CA01.contoso.test") == "ca01.contoso.test.ps1"
    assert host_file("../x") == ".._x.ps1"
    assert host_file("fe80::1%eth0") == "fe80__1_eth0.ps1"


_NO_ROOM = """
import resource, signal, sys
from pathlib import Path
from remediate.model.errors import DocumentError
from remediate.runs.folder import RunFolder
from remediate.runs.sent import SentFiles
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
files = SentFiles()
files.open(Path(sys.argv[1]))
files.append("a.ps1", b"one\\n")
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    files.append("a.ps1", b"x" * 300 + b"\\n")
except DocumentError as error:
    print(error)
print(files.marks()["a.ps1"].partition(" ")[0])
"""


@POSIX
def test_without_room_nothing_is_half_kept(tmp_path: Path) -> None:
    """A limit on the size of files stands in for a full disk: the system writes a part and then says no."""
    done = subprocess.run(
        [sys.executable, "-c", _NO_ROOM, str(tmp_path)], capture_output=True, text=True, check=True, timeout=60,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    told, size = done.stdout.splitlines()
    assert "a.ps1: cannot be written (File too large). Nothing was sent that is not kept." in told
    assert (tmp_path / "sent" / "a.ps1").read_bytes() == b"one\n"
    assert size == "4"


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "sent").write_text("")
    with pytest.raises(DocumentError, match="cannot be written"):
        SentFiles().open(tmp_path)
