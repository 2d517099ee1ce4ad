"""A real Active Directory domain controller: Samba, provisioned, filled and started for one lab.

`Domain` also lets tests plant a cause as the built-in Administrator and put every object back as it was. It talks to
Samba directly, so that nothing a test plants appears in the record of the relay.
"""

from __future__ import annotations

import base64
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab import contoso
from tests.lab.addresses import BASE_DN, DNS_DOMAIN, NETBIOS_DOMAIN, REALM, SAMBA, fqdn
from tests.lab.authority import CertificationAuthority, ServerCertificate
from tests.lab.material import Attributes

READY_TIMEOUT = 60
SAMBA_NAME = f"samba.{DNS_DOMAIN}"
MADE_BY_DIRECTORY = {"whenChanged", "uSNChanged", "dSCorePropagationData", "whenCreated", "uSNCreated", "objectGUID"}
DACL_ONLY = 4
"""LDAP_SERVER_SD_FLAGS_OID, DACL_SECURITY_INFORMATION ([MS-ADTS] 3.1.1.3.4.1.11)."""

Change = Mapping[str, list[str] | list[bytes] | list[Any]]


class LabError(Exception):
    """A part of the lab did not start; the text says which and shows its last words."""


@dataclass(frozen=True)
class ObjectState:
    """What an object was: its attributes with the DACL, or None where it did not exist."""

    dn: str
    attributes: dict[str, list[bytes]] | None


@dataclass
class Domain:
    """The domain controller of one lab. `folder` holds its database and log."""

    folder: Path
    trust: Path
    sids: dict[str, str] = field(default_factory=dict)
    domain_sid: str = ""
    process: subprocess.Popen[bytes] | None = None

    # --- making it -------------------------------------------------------------------------------------------

    def provision(self) -> None:
        """Make the empty domain."""
        shown = run_tool(
            "samba-tool", "domain", "provision", f"--targetdir={self.folder}", f"--realm={REALM}",
            f"--domain={NETBIOS_DOMAIN}", "--server-role=dc", "--dns-backend=NONE", "--host-name=dc1",
            f"--adminpass={contoso.ADMINISTRATOR.password}", "--host-ip=127.0.0.1", "--function-level=2008_R2",
        )  # fmt: skip
        if not self.configuration.exists():
            raise LabError(f"samba-tool domain provision: {shown}")

    def populate(self, objects: list[dict[str, object]], keytab: Path) -> None:
        """Add accounts and objects while the server is down, and write the keys of the machines' services."""
        answer = samba_directory("populate", str(self.configuration), document(objects, keytab))
        self.sids, self.domain_sid = answer["sids"], answer["domain_sid"]

    def start(self, certificate: ServerCertificate) -> None:
        """Start the server and wait until it answers; then lock the account that is to be locked."""
        options = {
            "server services": "ldap kdc rpc cldap winbindd", "interfaces": "lo", "bind interfaces only": "yes",
            # Above the ports of outgoing connections: one that waits to be forgotten would take Samba's away.
            "rpc server dynamic port range": "61000-65535",
            "ldap server require strong auth": "allow_sasl_over_tls",  # what Windows means by "require signing"
            "tls keyfile": certificate.key, "tls certfile": certificate.certificate, "tls cafile": self.trust,
            "log file": self.folder / "samba.log", "max log size": 0,
            "log level": f"1 dsdb_json_audit:5@{self.audit}",
        }  # fmt: skip
        command = ["samba", "-s", str(self.configuration), "-F", "--no-process-group"]
        command += [f"--option={name}={value}" for name, value in options.items()]
        self.process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        self._wait_until_ready()
        self._lock(contoso.LOCKED)

    def stop(self) -> None:
        """End the server; its children end with it."""
        if self.process is not None:
            self.process.terminate()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
            self.process = None

    @property
    def configuration(self) -> Path:
        """Samba's smb.conf."""
        return self.folder / "etc" / "smb.conf"

    @property
    def audit(self) -> Path:
        """Samba's own JSON record of every change."""
        return self.folder / "changes.log"

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_TIMEOUT
        while not (listens(88) and listens(636) and self._binds()):
            gone = self.process is None or self.process.poll() is not None
            if gone or time.monotonic() > deadline:
                log = self.folder / "samba.log"
                raise LabError(
                    f"Samba did not start: {log.read_text(errors='replace')[-2000:] if log.exists() else ''}"
                )
            time.sleep(0.1)

    def _binds(self) -> bool:
        from ldap3.core.exceptions import LDAPException

        try:
            with closing_connection(self.connection()):
                return True
        except LDAPException:
            return False

    def _lock(self, account: contoso.Account) -> None:
        """Lock an account for good, then let no other one be locked by a wrong password."""
        from ldap3.core.exceptions import LDAPInvalidCredentialsResult

        forever = str(-(2**63))
        self.replace(
            self.dn, {"lockoutThreshold": ["1"], "lockoutDuration": [forever], "lockOutObservationWindow": [forever]}
        )
        with suppress(LDAPInvalidCredentialsResult):
            self.connection(contoso.Account(account.name, "wrong"))
        self.replace(self.dn, {"lockoutThreshold": ["0"]})

    # --- reading and changing it, for tests --------------------------------------------------------------------

    @property
    def dn(self) -> str:
        """The domain's naming context."""
        return BASE_DN

    @staticmethod
    def template_dn(name: str) -> str:
        """The object of a certificate template."""
        return f"CN={name},{contoso.TEMPLATES_DN}"

    @staticmethod
    def computer_dn(name: str) -> str:
        """The object of a member server's account."""
        return f"CN={name.upper()},CN=Computers,{BASE_DN}"

    @staticmethod
    def enrollment_service_dn(name: str = contoso.ISSUING_CA) -> str:
        """The object of an enrolment service."""
        return f"CN={name},{contoso.ENROLLMENT_SERVICES_DN}"

    def connection(self, account: contoso.Account = contoso.ADMINISTRATOR) -> Any:
        """A bound ldap3 connection straight to Samba; its failures raise ldap3's exceptions."""
        import ssl

        import ldap3

        tls = ldap3.Tls(validate=ssl.CERT_REQUIRED, ca_certs_file=str(self.trust), valid_names=[SAMBA_NAME])
        server = ldap3.Server(SAMBA, port=636, use_ssl=True, tls=tls, get_info=ldap3.NONE)
        return ldap3.Connection(
            server, account.upn, account.password, auto_bind=True, raise_exceptions=True, receive_timeout=30
        )

    def read(self, dn: str, *attributes: str) -> dict[str, list[bytes]]:
        """The raw values of an object's attributes, the DACL among them; KeyError when there is no such object."""
        found = self._search(dn, list(attributes) or ["*", "nTSecurityDescriptor"])
        if found is None:
            raise KeyError(dn)
        return found

    def replace(self, dn: str, change: Change) -> None:
        """Give attributes new values; an empty list takes the attribute away. Descriptors: the DACL only."""
        import ldap3

        modifications = {name: [(ldap3.MODIFY_REPLACE, list(values))] for name, values in change.items()}
        with closing_connection(self.connection()) as connection:
            connection.modify(dn, modifications, controls=sd_flags())

    def set_dacl(self, dn: str, sddl: str) -> None:
        """Replace the DACL by the one of an SDDL string, where `{NAME}` stands for the SID of an account or group."""
        self.replace(dn, {"nTSecurityDescriptor": [self.descriptor(sddl)]})

    def add(self, dn: str, attributes: Attributes, sddl: str | None = None) -> None:
        """Add an object."""
        values: dict[str, Any] = {name: list(each) for name, each in attributes.items()}
        with closing_connection(self.connection()) as connection:
            connection.add(dn, attributes=values)
        if sddl:
            self.set_dacl(dn, sddl)

    def delete(self, dn: str) -> None:
        """Delete an object."""
        with closing_connection(self.connection()) as connection:
            connection.delete(dn)

    def descriptor(self, sddl: str) -> bytes:
        """The bytes of an SDDL string, made by Samba; `{NAME}` stands for the SID of an account or group."""
        [encoded] = samba_directory("descriptors", self.domain_sid, [sddl.format(**self.sids)])
        return base64.b64decode(encoded)

    def snapshot(self, *dns: str) -> list[ObjectState]:
        """What the objects are now, to be given to `restore`."""
        return [ObjectState(dn, self._search(dn, ["*", "nTSecurityDescriptor"])) for dn in dns]

    def restore(self, states: list[ObjectState]) -> None:
        """Make the objects what they were: changed ones back, added ones gone, deleted ones added anew."""
        for state in states:
            now = self._search(state.dn, ["*", "nTSecurityDescriptor"])
            if state.attributes is None:
                if now is not None:
                    self.delete(state.dn)
            elif now is None:
                self._add_again(state.dn, state.attributes)
            elif change := differences(now, state.attributes):
                self.replace(state.dn, change)

    @contextmanager
    def restored(self, *dns: str) -> Iterator[None]:
        """Within it the objects may be changed, added or deleted; afterwards they are as before."""
        before = self.snapshot(*dns)
        try:
            yield
        finally:
            self.restore(before)

    def changes(self) -> list[dict[str, Any]]:
        """Every change Samba itself recorded, oldest first: `operation`, `dn`, `userSid`, `performedAsSystem`, ...

        Of a line longer than Samba's own buffer only these stand there.
        """
        lines = self.audit.read_text().splitlines() if self.audit.exists() else []
        return [_change(line[line.index("{") :]) for line in lines if '"dsdbChange"' in line]

    def _search(self, dn: str, attributes: list[str]) -> dict[str, list[bytes]] | None:
        from ldap3 import BASE
        from ldap3.core.exceptions import LDAPNoSuchObjectResult

        with closing_connection(self.connection()) as connection:
            try:
                connection.search(dn, "(objectClass=*)", BASE, attributes=attributes, controls=sd_flags())
            except LDAPNoSuchObjectResult:
                return None
            [entry] = [one for one in connection.response if one["type"] == "searchResEntry"]
        return {str(name): list(values) for name, values in entry["raw_attributes"].items()}

    def _add_again(self, dn: str, attributes: dict[str, list[bytes]]) -> None:
        decided = {"distinguishedName", "instanceType", "name", "cn", "objectCategory", "nTSecurityDescriptor"}
        kept: Attributes = {
            name: list(values) for name, values in attributes.items() if name not in decided | MADE_BY_DIRECTORY
        }
        kept["objectClass"] = kept["objectClass"][-1:]
        self.add(dn, kept)
        self.replace(dn, {"nTSecurityDescriptor": attributes["nTSecurityDescriptor"]})


def document(objects: list[dict[str, object]], keytab: Path) -> dict[str, object]:
    """What `samba_directory` fills the directory from."""
    computers = {
        f"{name.upper()}$": {
            "password": contoso.machine_password(name),
            "host": fqdn(name),
            "principals": service_names(name),
        }
        for name in contoso.COMPUTERS
    }
    mail = {account.name: f"{account.name}@{DNS_DOMAIN}" for account in contoso.ACCOUNTS}
    return {
        "computers": computers,
        "users": {one.name: {"password": one.password, "mail": mail[one.name]} for one in contoso.ACCOUNTS},
        "groups": contoso.GROUPS,
        "members": contoso.MEMBERS,
        "objects": [{"dn": f"CN=DC1,OU=Domain Controllers,{BASE_DN}", "attributes": dc_names()}, *objects],
        "keytab": str(keytab),
        "services": [f"{one}@{REALM}" for name in contoso.COMPUTERS for one in service_names(name)],
    }


def service_names(machine: str) -> list[str]:
    """The service principal names of a member server."""
    return [f"{service}/{name}" for service in ("HOST", "HTTP", "WSMAN") for name in (fqdn(machine), machine.upper())]


def dc_names() -> Attributes:
    """The domain controller's own: what the provision leaves out for Kerberos to LDAP."""
    names = [f"{service}/{name}" for service in ("HOST", "ldap") for name in (fqdn("dc1"), "DC1")]
    return {"servicePrincipalName": [*names, f"ldap/{fqdn('dc1')}/{DNS_DOMAIN}", f"GC/{fqdn('dc1')}/{DNS_DOMAIN}"]}


def authority_objects(
    root: CertificationAuthority, issuing: CertificationAuthority, material: dict[str, Attributes]
) -> list[dict[str, object]]:
    """Everything below Public Key Services: templates, the enrolment service, the trusted certificates."""
    templates = contoso.all_templates(material)
    objects = [
        contoso.template_object(name, attributes, contoso.descriptor_of_template(name, attributes))
        for name, attributes in templates.items()
    ]
    service = contoso.enrollment_service(contoso.ISSUING_CA, "ca01", issuing, [contoso.INTUNE_TEMPLATE, "WebServer"])
    dn, sddl = Domain.enrollment_service_dn(), contoso.enrollment_service_descriptor("ca01")
    return [*objects, contoso.directory_object(dn, service, sddl), *contoso.trusted_roots(root, issuing)]


def differences(now: dict[str, list[bytes]], wanted: dict[str, list[bytes]]) -> dict[str, list[bytes]]:
    """The replacements that lead from `now` to `wanted`."""
    names = (now.keys() | wanted.keys()) - MADE_BY_DIRECTORY
    return {name: wanted.get(name, []) for name in names if sorted(now.get(name, [])) != sorted(wanted.get(name, []))}


def sd_flags() -> Any:
    """The control that limits descriptors to their DACL."""
    from ldap3.protocol.microsoft import security_descriptor_control

    return security_descriptor_control(sdflags=DACL_ONLY)


@contextmanager
def closing_connection(connection: Any) -> Iterator[Any]:
    """Unbind at the end."""
    try:
        yield connection
    finally:
        connection.unbind()


def samba_python() -> str:
    """The Python that Samba's libraries belong to: the one samba-tool runs under."""
    tool = shutil.which("samba-tool")
    if tool is None:
        raise LabError("samba-tool is not on PATH (Debian package samba)")
    return Path(tool).read_text().splitlines()[0].removeprefix("#!").split()[0]


def samba_directory(verb: str, argument: str, question: object) -> Any:
    """Ask `samba_directory.py`."""
    script = Path(__file__).with_name("samba_directory.py")
    command = [samba_python(), str(script), verb, argument]
    done = subprocess.run(command, input=json.dumps(question), capture_output=True, text=True, check=False)
    if done.returncode:
        raise LabError(f"samba_directory {verb}: {done.stderr[-2000:]}")
    return json.loads(done.stdout)


def run_tool(*command: str) -> str:
    """The end of what a program said."""
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr[-2000:]


def listens(port: int) -> bool:
    """Whether something accepts connections on Samba's address."""
    with suppress(OSError), closing(socket.create_connection((SAMBA, port), timeout=1)):
        return True
    return False


def _change(line: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(line)["dsdbChange"]
    except json.JSONDecodeError:
        beginning, _, _ = line.partition(', "attributes"')
        found = json.loads(beginning + "}}")["dsdbChange"]
    return found
