"""The lab's hosts are right: WinRM as Windows speaks it, PowerShell's own remoting behind it, a registry and files."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import requests
from pypsrp.exceptions import AuthenticationError, WinRMTransportError, WSManFaultError
from pypsrp.powershell import PowerShell

from tests.lab.clients import HTTP_KERBEROS, HTTP_NTLM, https, invoke, pool, run
from tests.lab.contoso import ADMIN, LOCKED, READER, Account
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.registry_file import number
from tests.lab.windows_hosts import policy_key
from tests.lab.winrm.faults import ACCESS_DENIED

DISPOSITION = f"(Get-ItemProperty -LiteralPath '{policy_key()}').RequestDisposition"


def test_ntlm_over_http_is_encrypted_and_reads_the_registry(fresh_lab: Lab) -> None:
    assert run(fresh_lab.ca, f"{DISPOSITION}; $env:COMPUTERNAME; 'åäö'") == [1, "CA01", "åäö"]
    assert fresh_lab.ca.requests()
    assert all(one["encrypted"] and one["user"] == "admin" for one in fresh_lab.ca.requests())
    assert fresh_lab.ca.commands() == 1


def test_both_forms_of_a_name_log_on_by_ntlm(fresh_lab: Lab) -> None:
    assert run(fresh_lab.ca, "1", username=ADMIN.upn, **HTTP_NTLM) == [1]


def test_https_with_verification_and_channel_binding(fresh_lab: Lab) -> None:
    assert run(fresh_lab.ca, DISPOSITION, **https(fresh_lab)) == [1]
    assert all(one["tls"] for one in fresh_lab.ca.requests())


def test_https_without_channel_binding_is_refused(fresh_lab: Lab) -> None:
    with pytest.raises(AuthenticationError):
        run(fresh_lab.ca, "1", negotiate_send_cbt=False, **https(fresh_lab))


@pytest.mark.parametrize("encrypted_by", ["http", "https"])
def test_kerberos_with_a_ticket(fresh_lab: Lab, encrypted_by: str) -> None:
    how = HTTP_KERBEROS if encrypted_by == "http" else https(fresh_lab, "kerberos")
    with fresh_lab.ticket(ADMIN):
        assert run(fresh_lab.connector, "$env:COMPUTERNAME", None, **how) == ["CONN1"]
    assert all(one["user"] == "admin" for one in fresh_lab.connector.requests())


def test_kerberos_through_negotiate_with_a_password(fresh_lab: Lab) -> None:
    how = {**HTTP_KERBEROS, "auth": "negotiate", "username": ADMIN.upn}
    assert run(fresh_lab.ca, "1", **how) == [1]


@pytest.mark.parametrize("account", [Account(ADMIN.name, "wrong"), LOCKED], ids=["wrong password", "locked"])
def test_refused_logons(fresh_lab: Lab, account: Account) -> None:
    with pytest.raises(AuthenticationError):
        run(fresh_lab.ca, "1", account)


def test_no_credential_is_not_somebody_elses(fresh_lab: Lab) -> None:
    with pytest.raises(Exception, match=r"[Cc]redential"):
        run(fresh_lab.ca, "1", None, **HTTP_NTLM)
    assert fresh_lab.ca.requests() == []


def test_an_account_outside_administrators_is_denied(fresh_lab: Lab) -> None:
    with pytest.raises(WSManFaultError) as refused:
        run(fresh_lab.ca, "1", READER)
    assert refused.value.code == ACCESS_DENIED


def test_errors_and_streams_are_powershells_own(fresh_lab: Lab) -> None:
    with pool(fresh_lab.ca) as runspace:
        failed = invoke(runspace, "'before'; Write-Warning 'mind'; Get-Item -Path /nope -ErrorAction Stop; 'after'")
        assert failed.output == ["before"]
        assert failed.had_errors
        assert failed.streams.error[-1].fq_error == "PathNotFound,Microsoft.PowerShell.Commands.GetItemCommand"
        assert [str(one) for one in failed.streams.warning] == ["mind"]
        soft = invoke(runspace, "Write-Error 'ett fel' -ErrorId E1; 2")
        assert soft.output == [2]
        assert not soft.had_errors
        assert soft.streams.error[0].fq_error == "E1"
    assert fresh_lab.ca.commands() == 2


def test_programs_run_and_text_is_formatted_without_a_console(fresh_lab: Lab) -> None:
    script = "$text = sh -c 'echo out; echo err >&2; exit 3' 2>&1 | ForEach-Object { \"$_\" }; $text; $LASTEXITCODE"
    assert sorted(map(str, run(fresh_lab.ca, script))) == ["3", "err", "out"]
    assert run(fresh_lab.ca, "'x' * 300 | Out-String -Stream")[0].startswith("x" * 100)


def test_a_long_script_and_a_long_answer(fresh_lab: Lab) -> None:
    length = 400_000
    script = f"$text = '{'x' * length}'; $text; 'y' * {length}"
    assert [len(one) for one in run(fresh_lab.ca, script)] == [length, length]


def test_a_running_command_can_be_stopped(fresh_lab: Lab) -> None:
    with pool(fresh_lab.ca) as runspace:
        shell = PowerShell(runspace)
        shell.add_script("'a'; Start-Sleep -Seconds 60; 'b'")
        shell.begin_invoke()
        shell.poll_invoke(timeout=2)
        shell.stop()
        assert shell.output == ["a"]
        shell.close()
        assert invoke(runspace, "7").output == [7]


def test_registry_changes_are_seen_and_writes_are_logged(fresh_lab: Lab) -> None:
    registry = fresh_lab.ca.registry
    registry.set(policy_key(), "RequestDisposition", number(0x101))
    assert run(fresh_lab.ca, DISPOSITION) == [0x101]
    assert registry.writes() == []
    run(fresh_lab.ca, f"Set-ItemProperty -LiteralPath '{policy_key()}' -Name RequestDisposition -Value 1 -Type DWord")
    assert [(one["op"], one["name"]) for one in registry.writes()] == [("SetValue", "RequestDisposition")]


def test_files_and_variables_are_those_of_the_host(fresh_lab: Lab) -> None:
    script = r"(Get-ChildItem -Recurse -File (Join-Path $env:ProgramFiles 'Microsoft Intune\PfxRequest')).Name"
    assert run(fresh_lab.connector, script) == ["3f2c6c1e.pfr"]
    assert run(fresh_lab.ca, "$env:ProgramData") == [str(fresh_lab.ca.program_data)]


def test_two_hosts_at_once(fresh_lab: Lab) -> None:
    met = threading.Barrier(2, timeout=10)

    def ask(host: LabHost) -> list[Any]:
        with pool(host) as runspace:
            met.wait()
            return list(invoke(runspace, "$env:COMPUTERNAME").output)

    with ThreadPoolExecutor() as threads:
        answers = list(threads.map(ask, (fresh_lab.ca, fresh_lab.connector)))
    assert answers == [["CA01"], ["CONN1"]]


def test_more_hosts_answer_side_by_side(fresh_lab: Lab) -> None:
    with fresh_lab.more_hosts(3) as hosts, ThreadPoolExecutor() as threads:
        names = list(threads.map(lambda host: run(host, "$env:COMPUTERNAME"), hosts))
        account = fresh_lab.domain.read(fresh_lab.domain.computer_dn("host02"))
    assert names == [["HOST01"], ["HOST02"], ["HOST03"]]
    assert account["dNSHostName"] == [b"host02.contoso.test"]


def test_identify_needs_no_logon(fresh_lab: Lab) -> None:
    identity = "http://schemas.dmtf.org/wbem/wsman/identify/1/wsmanidentity.xsd"
    body = (
        '<s:Envelope xmlns:s="http://www.w3.org/2003/05/soap-envelope"><s:Header/><s:Body>'
        f'<i:Identify xmlns:i="{identity}"/></s:Body></s:Envelope>'
    )
    url = f"http://{fresh_lab.ca.fqdn}:5985/wsman"
    answer = requests.post(url, body, headers={"WSMANIDENTIFY": "unauthenticated"}, timeout=5)
    assert answer.status_code == 200
    assert "Microsoft Corporation" in answer.text


def test_unencrypted_messages_are_refused(fresh_lab: Lab) -> None:
    with pytest.raises(WinRMTransportError):
        run(fresh_lab.ca, "1", ssl=False, auth="ntlm", encryption="never")


RESOLVE = "try { [string] [System.Net.Dns]::GetHostAddresses('ca01.contoso.test')[0] }"
RESOLVE += " catch { [string] $_.Exception.GetBaseException().SocketErrorCode }"


def test_a_host_knows_names_by_itself(fresh_lab: Lab) -> None:
    connector = fresh_lab.connector
    with connector.restored():
        connector.resolve("ca01.contoso.test", None)
        assert run(connector, RESOLVE) == ["HostNotFound"]
        connector.resolve("ca01.contoso.test", "127.0.0.99")
        assert run(connector, RESOLVE) == ["127.0.0.99"]
        assert run(fresh_lab.ca, RESOLVE) == [fresh_lab.ca.address]
    assert run(connector, RESOLVE) == [fresh_lab.ca.address]


def test_files_are_put_back(fresh_lab: Lab) -> None:
    [done] = (fresh_lab.connector.program_files / "Microsoft Intune" / "PfxRequest").glob("*/*")
    before = done.read_text()
    with fresh_lab.connector.restored():
        done.unlink()
        done.with_name("other.pfr").write_text("x")
    assert [(file, file.read_text()) for file in done.parent.iterdir()] == [(done, before)]


def test_the_queue_of_a_stopped_ca_cannot_be_read(fresh_lab: Lab) -> None:
    columns = "RequestID,RequesterName,CommonName,CertificateTemplate,SubmittedWhen"
    view = f"(certutil -view -restrict Disposition=9 -out '{columns}' csv) -join ' '"
    [shown] = run(fresh_lab.ca, view)
    assert "completed successfully" in shown
    stopped = {"CertSvc": fresh_lab.ca.state()["services"]["CertSvc"] | {"State": "Stopped"}}
    fresh_lab.ca.change_state(services=stopped)
    [shown] = run(fresh_lab.ca, view)
    assert "FAILED: 0x800706ba" in shown
