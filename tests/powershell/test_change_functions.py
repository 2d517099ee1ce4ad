"""Each function that changes a host: set, again, undone; asked what it would do; drifted; failed at each step."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.lab.registry_file import lines, number, text
from tests.powershell.engine import FunctionEngine
from tests.powershell.test_script_text import PWSH, SCRIPTS
from tests.powershell.windows_like import WindowsLike, make

CERTSVC = r"HKLM:\SYSTEM\CurrentControlSet\Services\CertSvc\Configuration"
CA = f"{CERTSVC}\\Contoso Issuing CA"
MODULE = "CertificateAuthority_MicrosoftDefault.Policy"
POLICY = f"{CA}\\PolicyModules\\{MODULE}"
CRYPTOGRAPHY = r"HKLM:\SOFTWARE\Microsoft\Cryptography"
SERVERS = f"{CRYPTOGRAPHY}\\PolicyServers"
URL = "https://cep.contoso.test/ADPolicyProvider_CEP_Kerberos/service.svc/CEP"
GUID = "0f3c5b0e-5d5e-4a52-9d6a-5b0d2c1f7a11"
THUMBPRINT = "00112233445566778899AABBCCDDEEFF00112233"
FOLDER = r"C:\Program Files\Microsoft Intune\PfxRequest"
OTHER = r"C:\Program Files\Microsoft Intune\CertificateRequestStatus"
ROW = {"RequestID": 17, "RequesterName": "CONTOSO\\CONN1$", "CommonName": "anna", "CertificateTemplate": "IntunePKCS",
       "SubmittedWhen": "2026-11-23 10:00"}  # fmt: skip
CATCH = "catch { 'THREW {0}: {1}' -f $_.FullyQualifiedErrorId, $_.Exception.Message }"


@pytest.fixture
def host(tmp_path: Path, functions: FunctionEngine) -> WindowsLike:
    """A CA whose requests wait; Defender excludes one folder."""
    found = make(tmp_path, functions)
    found.registry.create({
        CRYPTOGRAPHY: {"MachineGuid": text(GUID)}, SERVERS: {"Flags": number(0)},
        CERTSVC: {"Active": text("Contoso Issuing CA")},
        CA: {
            "CAServerName": text("host1.contoso.test"),
            "CACertHash": lines("aa bb", " ".join(pairs(THUMBPRINT.lower()))),
        },
        f"{CA}\\PolicyModules": {"Active": text(MODULE)},
        POLICY: {"RequestDisposition": number(257), "EditFlags": number(0x11014E), "Text": text("257")},
    })  # fmt: skip
    plant(found)
    return found


def pairs(digits: str) -> Iterator[str]:
    for at in range(0, len(digits), 2):
        yield digits[at : at + 2]


def plant(host: WindowsLike, service: str = "Running", **members: Any) -> None:
    """The state of a CA; `members` come on top."""
    host.set_state(**{
        "services": {"CertSvc": {"State": service, "StartMode": "Auto", "StartName": "LocalSystem", "PathName": "x"}},
        "mp_preference": {"ExclusionPath": [OTHER]}, "pending_requests": [ROW], **members,
    })  # fmt: skip


def run(host: WindowsLike, line: str) -> str:
    """What a line says on all its streams; what it throws is `THREW <identity>: <message>`."""
    return host.powershell(f"try {{ {line} }} {CATCH}")


def run_each(host: WindowsLike, *commands: str) -> list[str]:
    """What each of several lines says, all run by one engine."""
    said = run(host, " ".join(f"try {{ {one} }} {CATCH}; '-- next --';" for one in commands))
    return [one.strip() for one in said.split("-- next --")[: len(commands)]]


def table(host: WindowsLike, line: str) -> Any:
    """The state that a line returns."""
    return json.loads(run(host, f"ConvertTo-Json -Compress -InputObject ({line})"))


def state(host: WindowsLike) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((host.folder / "state.json").read_text())
    return found


def everything(host: WindowsLike, *, events: bool = True) -> list[Any]:
    """The whole host: the registry and the state."""
    found = state(host)
    if not events:
        found.pop("events")
    keys = json.loads(host.registry.path.read_text())["keys"]
    for key in list(keys):  # the provider names the keys above another when it writes
        parts = key.split("\\")
        for length in range(1, len(parts)):
            keys.setdefault("\\".join(parts[:length]), {"values": {}})
    keys.pop("HKEY_LOCAL_MACHINE")
    return [keys, found]


def data(value: int | None) -> str:
    return "@{ X = $null }" if value is None else f"@{{ X = '{value}' }}"


def registry_line(before: int | None, after: int | None, *, name: str = "RequestDisposition", more: str = "") -> str:
    states = f"-Before {data(before)} -After {data(after)}".replace("X =", f"{name} =")
    return f"Set-CaRegistryValue -Key '{POLICY}' -Name '{name}' -CertutilName 'policy\\{name}' {states} {more}"


# --- states -------------------------------------------------------------------------------------------------------


def test_states_are_compared_letter_by_letter(host: WindowsLike) -> None:
    cases = [
        ("@{ A = 'x' }", "@{ A = 'x' }", True), ("@{ A = 'x' }", "@{ A = 'X' }", False),
        ("@{ A = 'x'; B = '1' }", "@{ A = 'x' }", True), ("@{ A = 'x' }", "@{ A = 'x'; B = $null }", False),
        ("@{ A = $null }", "@{ A = $null }", True), ("@{ A = $null }", "@{ A = '' }", False),
        ("@{ A = '' }", "@{ A = $null }", False), ("@{ A = '1' }", "@{}", True),
    ]  # fmt: skip
    said = run_each(host, *(f"Test-SameState -Now {now} -Wanted {wanted}" for now, wanted, _ in cases))
    assert said == [str(same) for *_, same in cases]


def test_states_as_text(host: WindowsLike) -> None:
    shown = {
        "@{ RequestDisposition = '257' }": "RequestDisposition = 0x101",
        "@{ RequestDisposition = $null }": "RequestDisposition absent",
        "@{ 'msPKI-Certificate-Name-Flag' = '-1509949440' }": "msPKI-Certificate-Name-Flag = 0xA6000000",
        "@{ 'msPKI-Template-Minor-Revision' = '104' }": "msPKI-Template-Minor-Revision = 104",
        "@{ State = 'Running'; A = '' }": "A = , State = Running",
    }
    assert run_each(host, *(f"Format-State -State {one}" for one in shown)) == list(shown.values())


# --- a registry value of the CA -----------------------------------------------------------------------------------


def test_registry_value_set_again_and_undone(host: WindowsLike) -> None:
    start = host.registry.path.read_bytes()
    assert table(host, f"Get-CaRegistryValue -Key '{POLICY}' -Name 'RequestDisposition'") == {
        "RequestDisposition": "257"
    }
    assert run(host, registry_line(257, 1)) == ""
    test = f"Test-CaRegistryValue -Key '{POLICY}' -Name 'RequestDisposition' -Wanted @{{ RequestDisposition = '1' }}"
    assert run(host, test) == "True"
    assert "already as wanted" in run(host, registry_line(257, 1, more="-Verbose"))
    assert run(host, registry_line(257, 1)) == "False"
    assert len(host.registry.writes()) == 1
    assert run(host, registry_line(1, 257)) == ""
    assert host.registry.path.read_bytes() == start


def test_an_absent_value_is_set_and_deleted_again(host: WindowsLike) -> None:
    start = host.registry.path.read_bytes()
    name = "UseDefinedCACertInRequest"
    there = f"Set-CaRegistryValue -Key '{CA}' -Name '{name}' -CertutilName 'ca\\{name}' "
    assert table(host, f"Get-CaRegistryValue -Key '{CA}' -Name '{name}'") == {name: None}
    assert run(host, there + f"-Before @{{ {name} = $null }} -After @{{ {name} = '1' }}") == ""
    assert host.registry.get(CA, name) == 1
    assert run(host, there + f"-Before @{{ {name} = '1' }} -After @{{ {name} = $null }}") == ""
    assert host.registry.path.read_bytes() == start


def test_a_number_beyond_the_signed_ones(host: WindowsLike) -> None:
    assert run(host, registry_line(0x11014E, 0xFFFFFFFE, name="EditFlags")) == ""
    assert host.registry.get(POLICY, "EditFlags") & 0xFFFFFFFF == 0xFFFFFFFE


def test_registry_value_asked_what_it_would_do(host: WindowsLike) -> None:
    start = everything(host)
    said = run(host, registry_line(257, 1, more="-WhatIf"))
    assert f'"certutil.exe -setreg policy\\RequestDisposition 1" on target "{POLICY}\\RequestDisposition"' in said
    assert "-delreg policy\\RequestDisposition" in run(host, registry_line(257, None, more="-WhatIf"))
    assert everything(host) == start
    assert host.registry.writes() == []


@pytest.mark.parametrize("more", ["", "-WhatIf"])
@pytest.mark.parametrize("now", [3, None])
def test_registry_value_drifted(host: WindowsLike, more: str, now: int | None) -> None:
    host.registry.delete(POLICY, "RequestDisposition")
    if now is not None:
        host.registry.set(POLICY, "RequestDisposition", number(now))
    start = everything(host)
    said = run(host, registry_line(257, 1, more=more))
    shown = "RequestDisposition absent" if now is None else "RequestDisposition = 0x3"
    assert said.startswith("THREW RemediateDrift: ")
    assert f"expected RequestDisposition = 0x101; now {shown}; wanted RequestDisposition = 0x1." in said
    assert everything(host) == start


def test_drift_stops_also_where_errors_are_silenced(host: WindowsLike) -> None:
    host.registry.set(POLICY, "RequestDisposition", number(3))
    run(host, f"$ErrorActionPreference = 'SilentlyContinue'; {registry_line(257, 1)}")
    assert host.registry.get(POLICY, "RequestDisposition") == 3


@pytest.mark.parametrize(("verb", "after", "planted", "identity", "shown"), [
    ("setreg", 1, "0x80070005", "RemediateFailed", "-setreg policy\\RequestDisposition 1 failed with 0x80070005"),
    ("delreg", None, "0x800706BA", "RemediateFailed", "-delreg policy\\RequestDisposition failed with 0x800706BA"),
    ("setreg", 1, "ignored", "RemediateNotAsWritten", "reads back as RequestDisposition = 0x101; wanted"),
])  # fmt: skip
def test_registry_value_when_certutil_fails(
    host: WindowsLike, verb: str, after: int | None, planted: str, identity: str, shown: str
) -> None:
    plant(host, failures={f"certutil -{verb}": planted})
    said = run(host, registry_line(257, after))
    assert said.startswith(f"THREW {identity}: ")
    assert shown in said
    assert host.registry.get(POLICY, "RequestDisposition") == 257
    plant(host)
    assert run(host, registry_line(257, 1)) == ""  # the mutex was given back


def test_registry_access_denied(host: WindowsLike) -> None:
    host.registry.deny(POLICY, "write")
    assert "0x80070005" in run(host, registry_line(257, 1))
    host.registry.deny(POLICY)
    assert run(host, registry_line(257, 1)).startswith("THREW ")
    assert host.registry.writes() == []


def test_what_is_refused(host: WindowsLike) -> None:
    start = everything(host)
    sentences = {
        f"Get-CaRegistryValue -Key '{POLICY}' -Name 'Text'": "of type String",
        registry_line(257, 1, name="Text"): "of type String",
        f"Get-CaRegistryValue -Key '{CA}\\Nowhere' -Name 'X'": "does not exist",
        registry_line(257, 1).replace("'1'", "'0x1'"): "is not the number",
        registry_line(257, 1).replace("'1'", "'+1'"): "is not the number",
        registry_line(257, 4294967296): "is not the number",
        registry_line(257, 1).replace("-After @{ RequestDisposition", "-After @{ Another"): "does not name",
        registry_line(257, 1).replace("'policy\\", "'exit\\"): "does not begin with",
        registry_line(257, 1).replace("'policy\\Request", "'policy\\Edit"): "certutil would write to",
    }
    for said, sentence in zip(run_each(host, *sentences), sentences.values(), strict=True):
        assert said.startswith("THREW RemediateRefused: ")
        assert sentence in said
    assert everything(host) == start


def test_another_policy_module_than_the_approved_one(host: WindowsLike) -> None:
    host.registry.set(f"{CA}\\PolicyModules", "Active", text("TameMyCerts.Policy"))
    assert "certutil would write to" in run(host, registry_line(257, 1))
    host.registry.delete(CERTSVC, "Active")
    assert "is this host the CA?" in run(host, registry_line(257, 1))
    assert host.registry.writes() == []


# --- two at once --------------------------------------------------------------------------------------------------


def start_script(host: WindowsLike, name: str, line: str) -> subprocess.Popen[str]:
    """A PowerShell of its own that runs a line after the functions."""
    libraries = "\n".join(f". '{file}'" for file in sorted((SCRIPTS / "lib").glob("*.ps1")))
    module = Path(__file__).parents[1] / "lab" / "windows" / "LabWindows.psm1"
    script = host.folder / f"{name}.ps1"
    script.write_text(f"Import-Module LabRegistry\nImport-Module '{module}'\n{libraries}\n{line}\n")
    command = [str(PWSH), "-NoProfile", "-NonInteractive", "-File", str(script)]
    return subprocess.Popen(
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, env=host.environment, cwd=host.folder
    )


def wait_for(file: Path) -> None:
    """Until a script has made a file."""
    deadline = time.monotonic() + 60
    while not file.exists():
        assert time.monotonic() < deadline, f"{file.name} was not made"
        time.sleep(0.1)


def test_one_of_two_writers_wins_and_the_other_is_told(host: WindowsLike) -> None:
    wanted = [1, 2, 3]
    lines_ = [f"try {{ {registry_line(257, n)}; 'done' }} catch {{ $_.FullyQualifiedErrorId }}" for n in wanted]
    running = [start_script(host, f"writer{n}", line) for n, line in zip(wanted, lines_, strict=True)]
    said = [process.communicate(timeout=60)[0].strip() for process in running]
    assert sorted(said) == ["RemediateDrift", "RemediateDrift", "done"]
    assert [one["after"]["data"] for one in host.registry.writes()] == [wanted[said.index("done")]]


def test_a_writer_waits_for_the_other_and_outlives_a_killed_one(host: WindowsLike) -> None:
    mark = "[System.IO.File]::WriteAllText('{}', '')"
    holder = start_script(host, "holder", f"$null = Lock-CaRegistry; {mark.format('held')}; Start-Sleep -Seconds 120")
    try:
        wait_for(host.folder / "held")
        said = run(host, "Lock-CaRegistry -TimeoutSeconds 1")
        assert said.startswith("THREW RemediateRefused: Another script has been writing")
        waiting = start_script(host, "waiting", f"{mark.format('go')}; {registry_line(257, 1)}; 'done'")
        wait_for(host.folder / "go")
        with pytest.raises(subprocess.TimeoutExpired):
            waiting.wait(timeout=2)
        assert host.registry.writes() == []
    finally:
        holder.kill()
        holder.communicate(timeout=20)
    assert waiting.communicate(timeout=60)[0].strip() == "done"
    assert host.registry.get(POLICY, "RequestDisposition") == 1


# --- the service --------------------------------------------------------------------------------------------------


def event_ids(host: WindowsLike) -> list[int]:
    return [one["Id"] for one in state(host)["events"]]


def test_restart_waits_for_the_answer(host: WindowsLike) -> None:
    start = everything(host, events=False)
    plant(host, failures={"certutil -ping": {"code": "0x800706BA", "times": 2}})
    said = run(host, "ConvertTo-Json -Compress -InputObject (Restart-CertSvc -Verbose)")
    done = json.loads(said.splitlines()[-1])
    assert (done["State"], done["Answer"]) == ("Running", "certutil -ping")
    assert 2 <= done["Seconds"] < 20
    assert said.count("0x800706BA") == 2
    assert event_ids(host) == [26, 38]
    host.set_state(**{name: value for name, value in state(host).items() if name != "failures"})
    assert everything(host, events=False) == start


def test_restart_where_rpc_is_refused(host: WindowsLike) -> None:
    plant(host, failures={"certutil -ping": "0x800704DC"})
    said = run(host, "ConvertTo-Json -Compress -InputObject (Restart-CertSvc)")
    assert "WARNING: certutil -ping is refused to this logon (0x800704DC)" in said
    assert json.loads(said.splitlines()[-1])["Answer"] == "only by its start event (0x800704DC)"


def test_an_older_start_event_is_no_answer(host: WindowsLike) -> None:
    event = {"LogName": "Application", "ProviderName": "Microsoft-Windows-CertificationAuthority", "Id": 26,
             "TimeCreated": "2026-01-01T00:00:00Z", "Properties": ["CA"]}  # fmt: skip
    failures = {"certutil -ping": "0x800704DC", "Restart-Service": "no start event"}
    plant(host, events=[event], failures=failures)
    said = run(host, "Restart-CertSvc -TimeoutSeconds 1")
    assert said.startswith("THREW RemediateNoAnswer: CertSvc runs, but did not answer in 1 seconds")
    assert "0x800704DC" in said


@pytest.mark.parametrize(("planted", "left", "shown"), [
    ("stays stopped", "Stopped", "Restart-Service CertSvc failed; now State = Stopped."),
    ("start pending", "Start Pending", "did not come to State = Running in time; now State = Start Pending"),
    ("access denied", "Running", "Restart-Service CertSvc failed; now State = Running."),
])  # fmt: skip
def test_restart_fails(host: WindowsLike, planted: str, left: str, shown: str) -> None:
    plant(host, failures={"Restart-Service": planted})
    said = run(host, "Restart-CertSvc -TimeoutSeconds 1")
    assert said.startswith("THREW RemediateFailed: ")
    assert shown in said
    assert state(host)["services"]["CertSvc"]["State"] == left


@pytest.mark.parametrize("service", ["Stopped", "Stop Pending", "Paused"])
def test_a_stopped_service_is_not_restarted(host: WindowsLike, service: str) -> None:
    plant(host, service)
    said = run(host, "Restart-CertSvc")
    assert said.startswith(f"THREW RemediateRefused: CertSvc is not restarted: State = {service}")
    assert event_ids(host) == []


def test_services_that_depend_on_it_are_not_stopped(host: WindowsLike) -> None:
    services = state(host)["services"]
    services["CertSvc"]["DependentServices"] = ["Other"]
    plant(host, services=services | {"Other": {"State": "Running"}})
    assert "has dependent services" in run(host, "Restart-CertSvc")
    assert [one["State"] for one in state(host)["services"].values()] == ["Running", "Running"]


def test_start_and_stop(host: WindowsLike) -> None:
    plant(host, "Stopped")
    start = everything(host, events=False)
    assert table(host, "Start-CertSvc")["Answer"] == "certutil -ping"
    assert table(host, "Get-CertSvcState") == {"State": "Running"}
    assert table(host, "Start-CertSvc") == {"State": "Running", "Seconds": 0.0, "Answer": ""}
    assert event_ids(host) == [26]
    assert table(host, "Stop-CertSvc")["State"] == "Stopped"
    assert run(host, "Test-CertSvc -Wanted @{ State = 'Stopped' }") == "True"
    assert table(host, "Stop-CertSvc")["Seconds"] == 0
    assert event_ids(host) == [38, 26]
    assert everything(host, events=False) == start


@pytest.mark.parametrize(("service", "line"), [
    ("Running", "Restart-CertSvc"), ("Stopped", "Start-CertSvc"), ("Running", "Stop-CertSvc"),
])  # fmt: skip
def test_services_asked_what_they_would_do(host: WindowsLike, service: str, line: str) -> None:
    plant(host, service)
    start = everything(host)
    said = run(host, f"{line} -WhatIf")
    assert line.replace("CertSvc", "Service") in said and 'on target "CertSvc"' in said
    assert everything(host) == start


@pytest.mark.parametrize(("service", "line"), [("Stopped", "Start"), ("Running", "Stop")])
def test_start_and_stop_refused_by_windows(host: WindowsLike, service: str, line: str) -> None:
    plant(host, service, failures={f"{line}-Service": "access denied"})
    assert f"{line}-Service CertSvc failed; now State = {service}." in run(host, f"{line}-CertSvc")


def test_no_service_is_absent(host: WindowsLike) -> None:
    plant(host, services={})
    assert table(host, "Get-CertSvcState") == {"State": None}
    assert "State absent" in run(host, "Restart-CertSvc")


# --- an enrollment policy server ----------------------------------------------------------------------------------


def test_policy_server_added_again_and_removed(host: WindowsLike) -> None:
    start = everything(host)
    assert table(host, f"Get-EnrollmentPolicyServerState -Url '{URL}'") == {"Url": None}
    assert run(host, f"Add-EnrollmentPolicyServer -Url '{URL}'") == ""
    assert table(host, f"Get-EnrollmentPolicyServerState -Url '{URL.upper()}'") == {"Url": URL.upper()}
    assert run(host, "(Get-CertificateEnrollmentPolicyServer -Scope Applied -Context Machine).Url.AbsoluteUri") == URL
    written = len(host.registry.writes())
    assert "already" in run(host, f"Add-EnrollmentPolicyServer -Url '{URL}' -Verbose")
    assert len(host.registry.writes()) == written > 0
    assert run(host, f"Remove-EnrollmentPolicyServer -Url '{URL}'") == ""
    assert run(host, f"Test-EnrollmentPolicyServer -Url '{URL}' -Wanted @{{ Url = $null }}") == "True"
    assert "no enrollment policy server" in run(host, f"Remove-EnrollmentPolicyServer -Url '{URL}' -Verbose")
    told = run(host, f"Remove-EnrollmentPolicyServer -Url ('{URL}' + [char] 27 + [char] 0x202e) -Verbose")
    assert "\\u001b\\u202e: no enrollment policy server" in told
    assert everything(host) == start


@pytest.mark.parametrize("verb", ["Add", "Remove"])
def test_policy_server_asked_what_it_would_do(host: WindowsLike, verb: str) -> None:
    if verb == "Remove":
        run(host, f"Add-EnrollmentPolicyServer -Url '{URL}'")
    start = everything(host)
    said = run(host, f"{verb}-EnrollmentPolicyServer -Url '{URL}' -WhatIf")
    assert f'"{verb}-CertificateEnrollmentPolicyServer -Context Machine' in said
    assert f'on target "{URL}"' in said
    assert everything(host) == start


@pytest.mark.parametrize(("planted", "identity"), [
    ("access denied", "RemediateFailed"), ("unreachable", "RemediateFailed"), ("ignored", "RemediateNotAsWritten"),
])  # fmt: skip
@pytest.mark.parametrize("verb", ["Add", "Remove"])
def test_policy_server_fails(host: WindowsLike, planted: str, identity: str, verb: str) -> None:
    if verb == "Remove":
        run(host, f"Add-EnrollmentPolicyServer -Url '{URL}'")
    before = state(host)["policy_servers"]
    plant(host, policy_servers=before, failures={f"{verb}-CertificateEnrollmentPolicyServer": planted})
    start = everything(host)
    said = run(host, f"{verb}-EnrollmentPolicyServer -Url '{URL}'")
    assert said.startswith(f"THREW {identity}: ")
    assert URL in said
    assert everything(host) == start


@pytest.mark.parametrize("url", ["http://cep.contoso.test/CEP", "LDAP:"])
def test_only_https_is_added(host: WindowsLike, url: str) -> None:
    start = everything(host)
    assert "does not begin with https://" in run(host, f"Add-EnrollmentPolicyServer -Url '{url}'")
    assert everything(host) == start


# --- Defender -----------------------------------------------------------------------------------------------------


def test_exclusions_added_again_and_removed(host: WindowsLike) -> None:
    start = everything(host)
    both = f"-Path '{FOLDER}', '{OTHER}'"
    assert table(host, f"Get-DefenderExclusion {both}") == {FOLDER: None, OTHER: "excluded"}
    assert run(host, f"Add-DefenderExclusion {both}") == ""
    assert state(host)["mp_preference"]["ExclusionPath"] == [OTHER, FOLDER]
    assert run(host, f"Test-DefenderExclusion {both} -Wanted @{{ '{FOLDER}' = 'excluded' }}") == "True"
    assert "no exclusion was added" in run(host, f"Add-DefenderExclusion {both} -Verbose")
    assert run(host, f"Remove-DefenderExclusion -Path '{FOLDER}'") == ""
    assert "no exclusion was removed" in run(host, f"Remove-DefenderExclusion -Path '{FOLDER}' -Verbose")
    assert everything(host) == start


def test_the_first_exclusion_comes_and_goes(host: WindowsLike) -> None:
    plant(host, mp_preference={"ExclusionPath": None})
    start = everything(host)
    assert run(host, f"Add-DefenderExclusion -Path '{FOLDER}'") == ""
    assert run(host, f"Remove-DefenderExclusion -Path '{FOLDER}'") == ""
    assert everything(host) == start


def test_exclusions_asked_what_they_would_do(host: WindowsLike) -> None:
    start = everything(host)
    said = run(host, f"Add-DefenderExclusion -Path '{FOLDER}', '{OTHER}' -WhatIf")
    assert f'"Add-MpPreference -ExclusionPath" on target "{FOLDER}"' in said
    assert OTHER not in said
    said = run(host, f"Remove-DefenderExclusion -Path '{OTHER}' -WhatIf")
    assert f'"Remove-MpPreference -ExclusionPath" on target "{OTHER}"' in said
    assert everything(host) == start


@pytest.mark.parametrize(("planted", "identity"), [
    ("access denied", "RemediateFailed"), ("ignored", "RemediateNotAsWritten"),
])  # fmt: skip
@pytest.mark.parametrize(("verb", "path"), [("Add", FOLDER), ("Remove", OTHER)])
def test_exclusions_fail(host: WindowsLike, planted: str, identity: str, verb: str, path: str) -> None:
    plant(host, failures={f"{verb}-MpPreference": planted})
    start = everything(host)
    assert run(host, f"{verb}-DefenderExclusion -Path '{path}'").startswith(f"THREW {identity}: ")
    assert everything(host) == start


@pytest.mark.parametrize("verb", ["Get", "Add", "Remove"])
def test_hidden_exclusions_are_not_taken_for_none(host: WindowsLike, verb: str) -> None:
    plant(host, mp_preference={"ExclusionPath": ["N/A: Must be an administrator to view exclusions"]})
    start = everything(host)
    assert "0x80070005" in run(host, f"{verb}-DefenderExclusion -Path '{FOLDER}'")
    assert everything(host) == start


# --- a waiting request --------------------------------------------------------------------------------------------


def test_a_request_is_resubmitted_once(host: WindowsLike) -> None:
    assert table(host, "Get-PendingRequestState -RequestId 17") == {"Disposition": "pending"}
    start = everything(host)
    said = run(host, "Submit-PendingRequest -RequestId 17 -WhatIf")
    assert '"certutil.exe -resubmit 17" on target "request 17"' in said
    assert everything(host) == start
    assert table(host, "Submit-PendingRequest -RequestId 17") == {"Disposition": "issued"}
    assert run(host, "Test-PendingRequest -RequestId 17 -Wanted @{ Disposition = $null }") == "True"
    after = everything(host)
    assert table(host, "Submit-PendingRequest -RequestId 17") == {"Disposition": "issued"}
    assert everything(host) == after


@pytest.mark.parametrize(("decided", "word"), [(31, "denied"), (30, "failed"), (9, "pending")])
def test_a_request_that_gets_no_certificate(host: WindowsLike, decided: int, word: str) -> None:
    plant(host, resubmit_decides=decided)
    said = run(host, "Submit-PendingRequest -RequestId 17")
    assert said == (
        f"THREW RemediateNotAsWritten: Request 17 was submitted again, and is {word}; no certificate was issued."
    )


def test_resubmit_fails(host: WindowsLike) -> None:
    plant(host, failures={"certutil -resubmit": "0x80070005"})
    start = everything(host)
    assert "-resubmit 17 failed with 0x80070005" in run(host, "Submit-PendingRequest -RequestId 17")
    plant(host, failures={"certutil -view": "0x800704DC"})
    assert "certutil -view failed with 0x800704DC" in run(host, "Submit-PendingRequest -RequestId 17")
    plant(host, failures={"certutil -resubmit": "0x80070005"})
    assert everything(host) == start


def test_a_request_that_the_ca_does_not_know(host: WindowsLike) -> None:
    assert table(host, "Get-PendingRequestState -RequestId 18") == {"Disposition": None}
    assert "The CA knows no request 18" in run(host, "Submit-PendingRequest -RequestId 18")


@pytest.mark.parametrize("shown", ["9", "9 -- Sous soumission", "0x9 (9) -- Under Submission"])
def test_dispositions_are_read_by_number(host: WindowsLike, shown: str) -> None:
    line = 'function certutil.exe { $global:LASTEXITCODE = 0; \'"a","b"\'; \'"17","' + shown + "\"' }; "
    assert run(host, line + "Get-RequestDisposition -RequestId 17") == "pending"
    assert "not known here" in run(host, line.replace("9", "12") + "Get-RequestDisposition -RequestId 17")


# --- what is asked before anything is written ---------------------------------------------------------------------

IDENTITY = f"Confirm-HostIdentity -ComputerName 'host1' -MachineGuid '{GUID.upper()}'"
TIMES = "Confirm-PlanTime -Now ([datetimeoffset] '2026-11-23T12:00:00Z').UtcDateTime -ExpiresAt '2026-11-29T10:00:00Z' "


def test_what_may_go_on(host: WindowsLike) -> None:
    commands = [
        "Confirm-Engine", IDENTITY, "Confirm-Administrator", f"Confirm-CaIdentity -Thumbprint '{THUMBPRINT}'", TIMES,
        TIMES + "-NotBefore '2026-11-23T12:00:00Z' -NotAfter '2026-11-23T12:00:01Z'",
        TIMES + "-NotBefore '' -NotAfter ''", "Confirm-PlanTime -ExpiresAt '2999-01-01T00:00:00Z'",
    ]  # fmt: skip
    assert run_each(host, *commands) == [""] * len(commands)


def test_what_is_stopped_before_anything_is_written(host: WindowsLike) -> None:
    other_ca = f"This is another CA: its certificate is {THUMBPRINT.lower()}"
    sentences = {
        IDENTITY.replace("host1", "host2"): "This script is for host2; this is HOST1.",
        IDENTITY.replace("0F3C", "1F3C"): "This is another machine called host1: MachineGuid 0f3c",
        f"Confirm-CaIdentity -Thumbprint '{THUMBPRINT[::-1]}'": other_ca,
        TIMES.replace("29T", "23T"): "The plan expired at 2026-11-23T10:00:00Z.",
        TIMES.replace("29T10", "23T12"): "The plan expired at",
        TIMES + "-NotBefore '2026-11-23T12:00:01Z'": "opens at 2026-11-23T12:00:01Z; it is 2026-11-23T12:00:00Z now.",
        TIMES + "-NotAfter '2026-11-23T12:00:00Z'": "The window for this change closed at 2026-11-23T12:00:00Z",
        TIMES + "-NotAfter '23.11.2026 12:00'": "is not a time like",
        "$env:PROCESSOR_ARCHITEW6432 = 'AMD64'; Confirm-Engine": "32-bit PowerShell",
    }
    for said, sentence in zip(run_each(host, *sentences), sentences.values(), strict=True):
        assert said.startswith("THREW ")
        assert sentence in said


@pytest.mark.parametrize(("whoami", "sentence"), [
    ({"elevated": False}, "not elevated"),
    ({"groups": [["X", "Alias", "S-1-5-32-545", ""], ["Y", "Label", "S-1-16-12288", ""]]}, "no local administrator"),
    ({"groups": [["VORDEFINIERT\\Administratoren", "Alias", "S-1-5-32-544", "Gruppe"]]}, "not elevated"),
    ({"groups": [["Local", "Alias", "S-1-5-32-544", ""], ["Y", "Label", "S-1-16-16384", ""]]}, ""),
])  # fmt: skip
def test_administrators_are_known_by_their_token(host: WindowsLike, whoami: dict[str, Any], sentence: str) -> None:
    plant(host, whoami={"name": "contoso\\anna", **whoami})
    said = run(host, "Confirm-Administrator")
    assert sentence in said
    assert bool(said) == bool(sentence)


def test_constrained_language_is_refused_in_words(host: WindowsLike) -> None:
    library = (SCRIPTS / "lib" / "Precondition.ps1").read_text("ascii")
    script = host.folder / "constrained.ps1"
    script.write_text(f"{library}\ntry {{ Confirm-Engine }} catch {{ $_.Exception.Message }}\n")
    line = f"$ExecutionContext.SessionState.LanguageMode = 'ConstrainedLanguage'; & '{script}'"
    done = subprocess.run(
        [str(PWSH), "-NoProfile", "-NonInteractive", "-Command", line],
        capture_output=True, text=True, env=host.environment, timeout=60, check=True,
    )  # fmt: skip
    assert "This PowerShell runs in ConstrainedLanguage" in done.stdout
    assert not done.stderr


# --- the stand-in -------------------------------------------------------------------------------------------------


def test_what_the_stand_in_does_not_know_is_an_error(host: WindowsLike) -> None:
    plant(host, failures={"Stop-Service": "surprise"})
    said = run_each(
        host, "Restart-Service -Name CertSvc -PassThru", "Add-MpPreference -ExclusionPath x",
        "Add-MpPreference -ExclusionProcess x", "Remove-MpPreference -Force", "Stop-Service -Name CertSvc",
        f"Add-CertificateEnrollmentPolicyServer -Url '{URL}' -Context User",
        f"Add-CertificateEnrollmentPolicyServer -Url '{URL}' -Context Machine -AutoEnrollmentEnabled",
    )  # fmt: skip
    assert [one[:6] for one in said] == ["THREW "] * 7
    assert state(host)["services"]["CertSvc"]["State"] == "Running"
