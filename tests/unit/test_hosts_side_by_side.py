"""What many hosts at once share: the script that all of them are sent, and the types that their answers are read as."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from pypsrp.complex_objects import Command, Pipeline
from pypsrp.serializer import Serializer

from remediate.transports.winrm_session import written_out

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "examples" / "contoso-broken" / "connector-conn1.contoso.test.json"
FIRST_DECODED_BY_MANY = """
import sys, threading
from remediate.engine.collect import decode
text, start = open(sys.argv[1]).read(), threading.Barrier(20)
def read():
    start.wait()
    decode(text, role="connector", host="conn1.contoso.test")
    read_by.append(1)
read_by = []
sys.setswitchinterval(1e-6)
threads = [threading.Thread(target=read) for _ in range(20)]
for one in threads: one.start()
for one in threads: one.join()
print(len(read_by))
"""


@pytest.mark.parametrize("script", ["", "a\r\nb\tc", "_x000A_ _X000a_", "<&>'\" ]]>", "\x7f åäö \U0001f600"])
def test_script_is_sent_as_pypsrp_would_write_it(script: str) -> None:
    assert _sent(written_out(script)) == _sent(script)
    assert _sent(written_out(script)) == _sent(script), "the second host is sent something else"


def _sent(script: Any) -> bytes:
    command = Command(script, protocol_version="2.3", is_script=True)
    written: Any = Serializer().serialize(Pipeline(is_nested=False, cmds=[command]))
    return ElementTree.tostring(written)


def test_many_threads_read_the_first_answers_together() -> None:
    """msgspec 0.22 ends the whole process when several threads meet a type that none has decoded before."""
    command = [sys.executable, "-c", FIRST_DECODED_BY_MANY, str(DOCUMENT)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, "20"), done.stderr[-500:]
