"""The whole lab: a domain controller behind a recording relay, CA and connector hosts behind WinRM, all on loopback.

Starts only inside the namespaces that `tests.lab.enter` makes. `python -m tests.lab` starts it for a person.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.lab import contoso, material
from tests.lab.addresses import DNS_DOMAIN, MACHINES, MARK, fqdn
from tests.lab.authority import CertificationAuthority
from tests.lab.domain import Domain, LabError, authority_objects
from tests.lab.hosts import LabHost, serving
from tests.lab.ldap_relay import LdapRelay
from tests.lab.windows_hosts import (
    CA_DESCRIPTOR,
    ca_registry,
    ca_state,
    connector_registry,
    connector_state,
    make_request_folders,
)
from tests.shared import SHARED

ENDPOINT_MAPPER = 135
HOSTS = ("ca01", "ca02", "conn1", "conn2")


@dataclass(frozen=True)
class Lab:
    """A running lab. `trust` is the PEM file of the root that signed every server certificate."""

    folder: Path
    trust: Path
    root: CertificationAuthority
    issuing: CertificationAuthority
    second: CertificationAuthority
    domain: Domain
    relay: LdapRelay
    hosts: Mapping[str, LabHost]

    @property
    def dc(self) -> str:
        """The name clients reach the domain controller by: through the relay."""
        return fqdn("dc1")

    @property
    def ca(self) -> LabHost:
        """The host of the issuing CA."""
        return self.hosts["ca01"]

    @property
    def connector(self) -> LabHost:
        """The connector that may enrol."""
        return self.hosts["conn1"]

    @contextmanager
    def ticket(self, account: contoso.Account = contoso.ADMIN) -> Iterator[Path]:
        """A Kerberos ticket in a cache of its own, named by $KRB5CCNAME within the block."""
        cache = self.folder / f"ccache-{account.name}"
        get_ticket(account, cache)
        before = os.environ.get("KRB5CCNAME")
        os.environ["KRB5CCNAME"] = f"FILE:{cache}"
        try:
            yield cache
        finally:
            cache.unlink(missing_ok=True)
            os.environ.pop("KRB5CCNAME")
            if before is not None:
                os.environ["KRB5CCNAME"] = before

    def reset(self) -> None:
        """Forget what was recorded, and let nothing fail any more."""
        self.relay.fault = None
        self.relay.clear()
        for host in self.hosts.values():
            host.forget()
            host.fail()

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Within it the hosts' registries and states may be changed; afterwards they are as before."""
        with ExitStack() as stack:
            for host in self.hosts.values():
                stack.enter_context(host.restored())
            yield

    @contextmanager
    def second_ca(self, *templates: str, name: str = contoso.SECOND_CA) -> Iterator[str]:
        """Within it the CA of ca02 stands in the directory too, publishing the templates; the DN of its service."""
        dn = self.domain.enrollment_service_dn(name)
        service = contoso.enrollment_service(name, "ca02", self.second, list(templates))
        with self.domain.restored(dn):
            self.domain.add(dn, service, contoso.enrollment_service_descriptor("ca02"))
            yield dn

    @contextmanager
    def more_hosts(self, number: int, *, rest: float = 0.0) -> Iterator[list[LabHost]]:
        """Within it `number` further connectors (at most 40) answer, served by a process of their own; NTLM only.
        `rest` is for measuring: how long after one engine of a host was taken its next is started, and warmed."""
        names = [f"host{one:02}" for one in range(1, number + 1)]
        accounts = [self.domain.computer_dn(name) for name in names]
        home = self.folder / "more"
        with self.domain.restored(*accounts):
            for name, dn in zip(names, accounts, strict=True):
                self.domain.add(dn, contoso.computer(name))
            machines = [make_connector(home / name, name, root=self.root) for name in names]
            with serving(machines, self.folder / "more.json", self.folder / "keytab", rest=rest):
                yield machines
        shutil.rmtree(home)

    def environment(self) -> dict[str, str]:
        """The variables by which `tests/live` finds an estate."""
        return {
            "REMEDIATE_LIVE_DC": self.dc,
            "REMEDIATE_LIVE_CA": self.ca.fqdn,
            "REMEDIATE_LIVE_CONNECTOR": self.connector.fqdn,
            "REMEDIATE_LIVE_TEMPLATE": contoso.INTUNE_TEMPLATE,
            "REMEDIATE_LIVE_TRUST": str(self.trust),
            "REMEDIATE_LIVE_USER": contoso.ADMIN.upn,
        }


def obstacle() -> str | None:
    """Why the lab cannot start in this process, or None."""
    if MARK in os.environ:
        return None
    return "outside the lab's namespaces: run it through `python -m tests.lab.enter`"


@contextmanager
def start_lab(hosts: tuple[str, ...] = HOSTS) -> Iterator[Lab]:
    """Start everything; LabError says what did not start. Only one lab at a time within the namespaces."""
    if problem := obstacle():
        raise LabError(problem)
    folder = Path(os.environ[MARK])
    root = CertificationAuthority.root(contoso.ROOT_CA)
    issuing, second = root.subordinate(contoso.ISSUING_CA), root.subordinate(contoso.SECOND_CA)
    trust = folder / "root.pem"
    trust.write_bytes(root.pem)
    with ExitStack() as stack:
        domain, relay = start_domain(stack, folder, root=root, issuing=issuing)
        authorities = {"ca01": issuing, "ca02": second}
        machines = {name: make_host(folder / "hosts" / name, name, domain, authorities, root) for name in hosts}
        stack.enter_context(serving(machines.values(), folder / "winrm.json", folder / "keytab"))
        for name in hosts:
            if name.startswith("ca"):
                stack.enter_context(endpoint_mapper(MACHINES[name]))
        yield Lab(folder, trust, root, issuing, second, domain, relay, machines)


def start_domain(
    stack: ExitStack, folder: Path, *, root: CertificationAuthority, issuing: CertificationAuthority
) -> tuple[Domain, LdapRelay]:
    """The domain controller and the relay in front of it."""
    templates = material.templates(SHARED / "material" / "templates") if SHARED else {}
    certificate = root.server(folder / "dc1", fqdn("dc1"), "dc1", DNS_DOMAIN, fqdn("samba"))
    domain = Domain(folder / "dc", folder / "root.pem")
    domain.provision()
    domain.populate(authority_objects(root, issuing, templates), folder / "keytab")
    stack.callback(domain.stop)
    domain.start(certificate)
    return domain, stack.enter_context(LdapRelay(certificate, domain.trust))


def make_host(
    home: Path,
    name: str,
    domain: Domain,
    authorities: Mapping[str, CertificationAuthority],
    root: CertificationAuthority,
) -> LabHost:
    """A healthy host: a CA when it has an authority, else a connector."""
    if name not in authorities:
        return make_connector(home, name, root=root)
    certificate, authority = root.server(home, fqdn(name), name), authorities[name]
    registry = ca_registry(name, authority, domain.descriptor(CA_DESCRIPTOR))
    return LabHost.create(name, home, certificate, registry=registry, state=ca_state(name))


def make_connector(home: Path, name: str, *, root: CertificationAuthority) -> LabHost:
    """A healthy connector."""
    certificate = root.server(home, fqdn(name), name)
    program_files = home / "Program Files"
    install_folder = make_request_folders(program_files) / "PFXCertificateConnector"
    registry, state = connector_registry(name, install_folder, root.der), connector_state(name, program_files)
    return LabHost.create(name, home, certificate, registry=registry, state=state)


@contextmanager
def endpoint_mapper(address: str) -> Iterator[None]:
    """Something that listens on TCP 135, and says nothing, as RPC's endpoint mapper to who says nothing."""
    with socket.create_server((address, ENDPOINT_MAPPER)) as listener:
        threading.Thread(target=accept_all, args=(listener,), daemon=True).start()
        yield


def accept_all(listener: socket.socket) -> None:
    """Accept and close, until the listener is closed."""
    while True:
        try:
            listener.accept()[0].close()
        except OSError:
            return


def get_ticket(account: contoso.Account, cache: Path) -> None:
    """Log on at the KDC, as kinit does."""
    command = ["kinit", "-c", f"FILE:{cache}", account.upn]
    done = subprocess.run(command, input=account.password.encode() + b"\n", capture_output=True, check=False)
    if done.returncode:
        raise LabError(f"kinit {account.upn}: {done.stderr.decode(errors='replace')}")
