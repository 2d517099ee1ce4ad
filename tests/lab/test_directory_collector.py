"""The collector of the directory against a real domain controller: what it writes is what the live reader reads."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from remediate.cli.collectors import collector_call, collector_files, collector_source
from remediate.engine.collect import HostRequest, HostRole, computers, connector_accounts
from remediate.facts.documents import CaDocument, ConnectorDocument, DirectoryDocument, Entry
from remediate.model.secret import Secret
from remediate.transports.bundle import read_bundle
from remediate.transports.credentials import Credential
from remediate.transports.ldap import DirectoryReader
from tests.lab import broken, contoso
from tests.lab.clients import run
from tests.lab.contoso import ADMIN, READER, SERVICE, Account
from tests.lab.estate import Lab
from tests.lab.hosts import LabHost
from tests.lab.program import remediate
from tests.lab.registry_file import number
from tests.lab.test_dry_run_live import plan
from tests.lab.windows_hosts import policy_key

PWSH = os.environ.get("REMEDIATE_PWSH") or shutil.which("pwsh") or "pwsh"
# Where .NET is not on Windows it takes its trust, and that TLS alone seals, from OpenLDAP and Cyrus SASL.
NOT_WINDOWS = {"LDAPSASL_NOCANON": "on", "LDAPSASL_SECPROPS": "maxssf=0"}
NESTED = "CONTOSO\\CONN2$"
EXTRA = (NESTED, "svc_intune@contoso.test", "CONTOSO\\nobody", "OTHER\\x", "a)(cn=*")


@pytest.fixture(scope="module")
def healthy(lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the hosts' own collectors wrote of the healthy estate."""
    folder = tmp_path_factory.mktemp("healthy")
    read_host(lab.ca, "ca", folder)
    read_host(lab.connector, "connector", folder)
    return folder


@pytest.fixture
def folder(fresh_lab: Lab, healthy: Path, tmp_path: Path) -> Path:
    """What the Windows team has before the directory is read: the collectors, and the files of the hosts."""
    for name, content in collector_files([fresh_lab.ca.fqdn]).items():
        (tmp_path / name).write_bytes(content)
    shutil.copytree(healthy, tmp_path, dirs_exist_ok=True)
    fresh_lab.relay.clear()
    return tmp_path


def read_host(host: LabHost, role: HostRole, folder: Path) -> None:
    request = HostRequest(role=role, host=host.fqdn, certification_authorities=("ca01.contoso.test",))
    [said] = run(host, f"{collector_source(role)}\n{collector_call(request)}")
    (folder / f"{role}-{host.name}.json").write_text(said)


def powershell(lab: Lab, script: Path, *arguments: str, account: Account = READER) -> subprocess.CompletedProcess[str]:
    with lab.ticket(account):
        environment = os.environ | NOT_WINDOWS | {"LDAPTLS_CACERT": str(lab.trust), "NO_COLOR": "1"}
        return subprocess.run(
            [PWSH, "-NoProfile", "-NonInteractive", "-File", str(script), *arguments],
            capture_output=True, text=True, timeout=120, env=environment, check=False,
        )  # fmt: skip


def collected(lab: Lab, folder: Path, *arguments: str, account: Account = READER) -> DirectoryDocument:
    where = ("-Server", lab.dc, "-SecureSocketLayer", *arguments)
    done = powershell(lab, folder / "collect-directory.ps1", *where, account=account)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    assert done.stdout == f"{folder / 'directory.json'}\n"
    content = (folder / "directory.json").read_bytes()
    assert set(json.loads(content)) == set(DirectoryDocument.__struct_fields__)
    return msgspec.json.decode(content, type=DirectoryDocument)


def read_live(lab: Lab, folder: Path, extra: Sequence[str] = (), account: Account = READER) -> DirectoryDocument:
    hosts = read_bundle([folder / f"{name}.json" for name in ("ca-ca01", "connector-conn1")])
    documents: list[CaDocument | ConnectorDocument] = [*hosts.certification_authorities, *hosts.connectors]
    credential = Credential(account.upn, Secret(account.password))
    with DirectoryReader(lab.dc, credential, trust=lab.trust) as reader:
        begun = reader.begin()
        return reader.finish((*connector_accounts(documents, begun), *extra), computers(documents))


def facts(document: DirectoryDocument) -> DirectoryDocument:
    """The document without what each reader says of itself."""
    return msgspec.structs.replace(document, collector="", read_at="", read_as="")


def lines(lab: Lab, folder: Path, *text: str) -> Any:
    """What PowerShell says, as JSON, with a session with the domain controller in `$session`."""
    head = ["Set-StrictMode -Version Latest", "$ErrorActionPreference = 'Stop'", collector_source("directory")]
    start = f"$session = Get-DirectorySession -Server '{lab.dc}' -SecureSocketLayer"
    script = folder / "lines.ps1"
    script.write_text("\n".join([*head, start, *text, ""]))
    done = powershell(lab, script)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    return json.loads(done.stdout)


def test_it_reads_what_the_live_reader_reads(fresh_lab: Lab, folder: Path) -> None:
    found = collected(fresh_lab, folder, "-Account", ",".join(EXTRA))
    searches, writes = fresh_lab.relay.counts()["search"], fresh_lab.relay.writes
    fresh_lab.relay.clear()
    wanted = read_live(fresh_lab, folder, EXTRA)
    assert facts(found) == facts(wanted)
    assert searches == fresh_lab.relay.counts()["search"]
    assert writes == []
    assert [one.name for one in found.accounts] == sorted(("CONTOSO\\CONN1$", *EXTRA), key=str.lower)
    assert [one.name for one in found.accounts if not one.entry.known] == ["OTHER\\x"]
    assert [one.texts("dNSHostName") for one in found.computers.value or []] == [
        ("ca01.contoso.test",), ("conn1.contoso.test",),
    ]  # fmt: skip
    groups = next(one for one in found.accounts if one.name == NESTED).token_groups.need_value(NESTED)
    rids = {int.from_bytes(sid[-4:], "little") for sid in groups}
    assert {int(fresh_lab.domain.sids[name].rpartition("-")[2]) for name in ("PKI Enrollers", "PKI Nested")} <= rids


def test_a_service_account_and_its_groups(fresh_lab: Lab, folder: Path) -> None:
    path = folder / "connector-conn1.json"
    path.write_text(path.read_text().replace('"LocalSystem"', json.dumps(SERVICE.down_level)))
    found, wanted = collected(fresh_lab, folder), read_live(fresh_lab, folder)
    assert facts(found) == facts(wanted)
    assert [one.name for one in found.accounts] == [SERVICE.down_level]
    assert found.accounts[0].token_groups.value


def test_a_descriptor_that_may_not_be_read_is_not_there(fresh_lab: Lab, folder: Path) -> None:
    dn = fresh_lab.domain.template_dn("IntunePKCS")
    with fresh_lab.domain.restored(dn):
        fresh_lab.domain.set_dacl(dn, f"D:P(A;;LCRPLO;;;AU)(A;;{contoso.FULL};;;LA)")
        found, wanted = collected(fresh_lab, folder), read_live(fresh_lab, folder)
    assert facts(found) == facts(wanted)
    entries = {one.dn: one for one in found.public_key_services.need_value("services")}
    assert entries[dn].texts("displayName")
    assert "nTSecurityDescriptor" not in entries[dn].attributes


def test_the_scripts_alone_give_the_plan_of_a_live_run(
    fresh_lab: Lab, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    lab, dn, apart = fresh_lab, fresh_lab.domain.template_dn("IntunePKCS"), tmp_path_factory.mktemp("live")
    lab.ca.registry.set(policy_key(), "RequestDisposition", number(0x101))
    read_host(lab.ca, "ca", folder)
    with lab.domain.restored(dn):
        lab.domain.set_dacl(dn, "D:PAI(A;;CCDCLCSWRPWPDTLOSDRCWDWO;;;DA)(A;;LCRPLORC;;;AU)")
        collected(lab, folder, account=ADMIN)
        live = plan(lab, apart)
    out = apart / "offline.json"
    done = remediate("plan", "--all", "--template", "IntunePKCS", "--bundle", str(folder), "--out", str(out))
    offline = json.loads(out.read_text()) if out.exists() else pytest.fail(done.err)
    assert {one["playbook"] for one in live["findings"]} == {"denied_by_policy_module", "submission_pending"}
    for part in ("findings", "actions", "unknown", "complete"):
        assert offline.get(part) == live.get(part), part


def test_without_the_files_of_the_hosts_it_warns(fresh_lab: Lab, folder: Path) -> None:
    (empty := folder / "empty").mkdir()
    script, where = folder / "collect-directory.ps1", ("-Server", fresh_lab.dc, "-SecureSocketLayer")
    done = powershell(fresh_lab, script, *where, "-OutputFolder", str(empty))
    assert done.returncode == 0, done.stderr
    assert "connector-*.json" in done.stdout
    document = msgspec.json.decode((empty / "directory.json").read_bytes(), type=DirectoryDocument)
    assert (document.accounts, document.computers.value) == ((), [])
    assert fresh_lab.relay.counts()["search"] == 6


def test_without_tls_it_seals_or_does_not_go_on(fresh_lab: Lab, folder: Path) -> None:
    """Where .NET cannot set signing and sealing, that is the end: nothing goes out in the clear."""
    done = powershell(fresh_lab, folder / "collect-directory.ps1", "-Server", fresh_lab.dc)
    assert done.returncode == 1
    assert f"{fresh_lab.dc} could not be read" in done.stderr
    assert not (folder / "directory.json").exists()
    assert fresh_lab.relay.counts()["search"] == fresh_lab.relay.counts()["bind"] == 0


def test_an_unreachable_or_refusing_controller_is_said(fresh_lab: Lab, folder: Path) -> None:
    (folder / "directory.json").unlink(missing_ok=True)
    script, secure = folder / "collect-directory.ps1", "-SecureSocketLayer"
    nobody = powershell(fresh_lab, script, "-Server", broken.NAME, secure)
    with broken.listening(broken.foreign(folder), 636):
        foreign = powershell(fresh_lab, script, "-Server", broken.NAME, secure)
    for done in (nobody, foreign):
        assert done.returncode == 1
        assert f"{broken.NAME} could not be read" in done.stderr
    assert not (folder / "directory.json").exists()


def test_another_domain_of_the_forest(fresh_lab: Lab, folder: Path) -> None:
    """A domain controller of Samba holds one domain: the others are cross-references made up here."""
    made = [
        f"@{{ attributes = @{{ nETBIOSName = @('{name}'); dnsRoot = @('{root}'); nCName = @('{context}') }} }}"
        for name, root, context in (
            ("NEAR", fresh_lab.dc, "CN=Users,DC=contoso,DC=test"), ("FAR", broken.NAME, "DC=far,DC=test"),
        )
    ]  # fmt: skip
    found = lines(
        fresh_lab, folder,
        f"$forest = @{{ Session = $session; Elsewhere = @{{}}; Domains = @({', '.join(made)}) }}",
        "$rows = foreach ($name in 'NEAR\\svc_intune', 'FAR\\x', 'NONE\\x', 'x@suffix') {",
        "    Get-DirectoryAccount -Name $name -Forest $forest",
        "}",
        "ConvertTo-Json -InputObject @($rows) -Compress -Depth 10",
    )  # fmt: skip
    near, far, none, suffix = found
    assert near["entry"]["value"]["attributes"]["sAMAccountName"] == [SERVICE.name]
    assert near["token_groups"]["value"]
    assert far["entry"]["unreadable"]["why"]
    assert far["entry"]["unreadable"]["code"].startswith("LDAP ")
    assert far["token_groups"] == far["entry"]
    assert "not of a domain" in none["entry"]["unreadable"]["why"]
    assert "others it may be in" in suffix["entry"]["unreadable"]["why"]
    assert len({one.connection for one in fresh_lab.relay.searches}) == 2


def test_pages_and_refusals(fresh_lab: Lab, folder: Path) -> None:
    names = [fresh_lab.domain.template_dn(name) for name in ("IntunePKCS", "WebServer")]
    one, many, refused, absent = lines(
        fresh_lab, folder,
        f"$search = @{{ Connection = $session.Connection; Base = '{contoso.TEMPLATES_DN}'; Attribute = 'cn' }}",
        "$one = @(Find-DirectoryEntry @search)",
        "$many = @(Find-DirectoryEntry @search -PageSize 7)",
        "$search.Base = 'no name'",
        "$refused = Get-DirectoryFact -Reading { New-ListFact -Items @(Find-DirectoryEntry @search) }",
        "$search.Base = 'CN=Nobody,DC=contoso,DC=test'",
        "$absent = Get-DirectoryFact -Reading { New-ListFact -Items @(Find-DirectoryEntry @search) }",
        "ConvertTo-Json -InputObject @($one, $many, $refused, $absent) -Compress -Depth 10",
    )  # fmt: skip
    assert one == many
    assert set(names) < {entry["dn"] for entry in one}
    assert [entry["dn"] for entry in one] == sorted((entry["dn"] for entry in one), key=str.lower)
    assert sum(each.next_page for each in fresh_lab.relay.operations) == (len(one) - 1) // 7
    assert refused["unreadable"]["code"] == "LDAP 34"
    assert absent == {"absent": True}


def test_entries_are_the_same_for_every_value(fresh_lab: Lab, folder: Path) -> None:
    """Names beyond ASCII, bytes that are no text, and several values in the order of their bytes."""
    dn = fresh_lab.domain.template_dn("IntunePKCS")
    with fresh_lab.domain.restored(dn):
        fresh_lab.domain.replace(
            dn,
            {"displayName": ["Zoë's <PKCS> \U0001f600"], "msPKI-RA-Policies": ["b", "a"], "pKIKeyUsage": [b"\xff\xfe"]},
        )
        found, wanted = collected(fresh_lab, folder), read_live(fresh_lab, folder)
    assert facts(found) == facts(wanted)
    entry: Entry = next(one for one in found.public_key_services.need_value("services") if one.dn == dn)
    assert (entry.texts("displayName"), entry.octets("pKIKeyUsage")) == (("Zoë's <PKCS> \U0001f600",), (b"\xff\xfe",))
