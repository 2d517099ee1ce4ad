"""The stand-in for certutil prints what public captures of the real one show, byte for byte."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.lab.registry_file import number, text
from tests.powershell.engine import FunctionEngine
from tests.powershell.windows_like import WindowsLike, make
from tests.shared import SHARED, needs_shared

SERVICES = r"HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration"
MODULE = "CertificateAuthority_MicrosoftDefault.Policy"
CVI = "CVI Issuing CA 1"


@pytest.fixture
def host(tmp_path: Path, functions: FunctionEngine) -> WindowsLike:
    return make(tmp_path, functions)


def capture(name: str) -> bytes:
    assert SHARED is not None
    return (SHARED / "material" / "certutil" / f"{name}.txt").read_bytes()


def plant(host: WindowsLike, ca: str, below: str = "", /, **values: dict[str, Any]) -> None:
    """An active CA, with values in its key or below it."""
    key = f"{SERVICES}\\{ca}"
    modules = {f"{key}\\PolicyModules": {"Active": text(MODULE)}}
    host.registry.create({SERVICES: {"Active": text(ca)}, key: {}, **modules, f"{key}{below}": values})


def printed(host: WindowsLike, *arguments: str) -> bytes:
    """With the line ends of captures that lost the carriage return."""
    return host.program("certutil", *arguments).stdout.replace(b"\r\n", b"\n")


@needs_shared
@pytest.mark.parametrize(
    ("name", "ca", "value"),
    [("getreg_AuditFilter_cc", CVI, 0xCC), ("getreg_AuditFilter_zero", "horse-CA1-CA-1", 0),
     ("getreg_value_absent_FAILED", CVI, None)],
)  # fmt: skip
def test_getreg(host: WindowsLike, name: str, ca: str, value: int | None) -> None:
    plant(host, ca, "", **({} if value is None else {"AuditFilter": number(value)}))
    assert printed(host, "-getreg", r"ca\AuditFilter") == capture(name)


@needs_shared
@pytest.mark.parametrize(("name", "value"), [("default", 0x11014E), ("san2", 0x15014E)])
def test_getreg_of_the_policy_module(host: WindowsLike, name: str, value: int) -> None:
    plant(host, "fries-DC01-CA", f"\\PolicyModules\\{MODULE}", EditFlags=number(value))
    assert printed(host, "-getreg", r"policy\EditFlags") == capture(f"getreg_policy_EditFlags_{name}")


@needs_shared
def test_setreg_of_flags(host: WindowsLike) -> None:
    plant(host, "hacklab-WIN-8HPLF8PSHC1-CA", CRLFlags=number(2))
    assert printed(host, "-setreg", r"ca\CRLFlags", "+8") == capture("setreg_old_and_new_flags")


@needs_shared
def test_setreg_of_an_absent_value(host: WindowsLike) -> None:
    plant(host, CVI)
    prompt, _, rest = capture("setreg_value_was_absent").partition(b"\n")
    assert prompt.endswith(rb"certutil -setreg CA\AuditFilter 0xCC")
    assert printed(host, "-setreg", r"CA\AuditFilter", "0xCC") == rest
    assert [one["after"]["data"] for one in host.registry.writes()] == [0xCC]


@needs_shared
def test_setreg_of_text_and_number(host: WindowsLike) -> None:
    plant(host, "<CA NAME>", ValidityPeriod=text("Years"), ValidityPeriodUnits=number(1))
    both = printed(host, "-setreg", r"ca\ValidityPeriod", "Years") + printed(
        host, "-setreg", r"ca\ValidityPeriodUnits", "10"
    )
    assert both == capture("setreg_REG_SZ")


@needs_shared
def test_ping(host: WindowsLike) -> None:
    ca = "district.local Issuing CA"
    plant(host, ca, CAServerName=text("CA01.district.local"))
    host.set_state(services={"CertSvc": {"State": "Running"}}, ping_ms=16)
    assert host.program("certutil", "-ping").stdout == capture("ping_ok")


@needs_shared
def test_ping_without_a_ca(host: WindowsLike) -> None:
    done = host.program("certutil", "-ping")
    assert done.stdout.replace(b"\r\n", b"\n") == capture("ping_no_local_ca")
    assert done.returncode != 0


def test_ping_of_a_stopped_service(host: WindowsLike) -> None:
    plant(host, "CA", CAServerName=text("ca.contoso.test"))
    assert (
        b"-ping command FAILED: 0x800706ba (WIN32: 1722 RPC_S_SERVER_UNAVAILABLE)\r\n"
        in host.program("certutil", "-ping").stdout
    )
    assert host.fact("Get-PingFact") == {"value": {"code": "0x800706BA"}}


def test_delreg_and_a_second_one(host: WindowsLike) -> None:
    plant(host, "CA", UseDefinedCACertInRequest=number(1))
    assert host.program("certutil", "-delreg", r"ca\UseDefinedCACertInRequest").returncode == 0
    assert b"0x80070002" in host.program("certutil", "-delreg", r"ca\UseDefinedCACertInRequest").stdout
    assert [one["op"] for one in host.registry.writes()] == ["DeleteValue"]


@pytest.mark.parametrize("arguments", [["-revoke", "1"], [], ["-view", "Log"], ["-ping", "x"], ["-getreg", r"chain\X"]])
def test_what_it_does_not_know_is_an_error(host: WindowsLike, arguments: list[str]) -> None:
    plant(host, "CA")
    done = host.program("certutil", *arguments)
    assert done.returncode != 0
    assert b"does not know" in done.stderr


def test_denied_keys_are_denied(host: WindowsLike) -> None:
    plant(host, "CA", UseDS=number(1))
    host.registry.deny(f"{SERVICES}\\CA", "write")
    assert host.program("certutil", "-getreg", r"ca\UseDS").returncode == 0
    assert b"0x80070005" in host.program("certutil", "-setreg", r"ca\UseDS", "0").stdout
    assert host.registry.get(f"{SERVICES}\\CA", "UseDS") == 1


@pytest.mark.parametrize("line", [
    "Get-CimInstance -ClassName Win32_Product", "Get-CimInstance -ClassName Win32_Service -Filter \"Name LIKE 'a%'\"",
    "Get-WinEvent -FilterHashtable @{ Path = 'x' }", "Get-CertificateEnrollmentPolicyServer -Scope All -Context User",
])  # fmt: skip
def test_unknown_questions_throw(host: WindowsLike, line: str) -> None:
    assert host.powershell(f"try {{ {line}; 'answered' }} catch {{ 'threw' }}") == "threw"
