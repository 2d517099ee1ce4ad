"""Runs under the Python that Samba's own libraries belong to (see `domain.samba_python`), never under the project's.

`populate SMB_CONF` reads a document from standard input, fills the directory of a domain controller that is not
running yet and prints {"domain_sid", "sids"}. `descriptors DOMAIN_SID` turns a list of SDDL strings on standard
input into a list of base64.
"""

from __future__ import annotations

# mypy: disable-error-code="import-not-found"
import base64
import json
import sys
from typing import Any

import ldb
import samba.dckeytab  # noqa: F401 - gives Net its export_keytab
from samba.auth import system_session
from samba.dcerpc import security
from samba.ndr import ndr_pack
from samba.net import Net
from samba.param import LoadParm
from samba.samdb import SamDB

Document = dict[str, Any]


def descriptor(sddl: str, domain_sid: str) -> bytes:
    """An SDDL string as the bytes of `nTSecurityDescriptor`, made by Samba."""
    packed: bytes = ndr_pack(security.descriptor.from_sddl(sddl, security.dom_sid(domain_sid)))
    return packed


class Directory:
    """The database of a domain controller that does not run."""

    def __init__(self, configuration: str) -> None:
        self.parameters = LoadParm()
        self.parameters.load(configuration)
        path = self.parameters.private_path("sam.ldb")
        self.database = SamDB(url=path, lp=self.parameters, session_info=system_session())

    def sid(self, account: str) -> str:
        """The SID of a sAMAccountName."""
        found = self.database.search(expression=f"(sAMAccountName={account})", attrs=["objectSid"])
        return str(self.database.schema_format_value("objectSid", found[0]["objectSid"][0]).decode())

    def populate(self, document: Document) -> Document:
        """Add accounts, groups and objects, in that order; the SIDs of the accounts and groups."""
        with_accounts = [*document["computers"], *document["users"], *document["groups"]]
        self.database.transaction_start()
        for name, computer in document["computers"].items():
            self.add_computer(name, **computer)
        for name, user in document["users"].items():
            self.database.newuser(name, user["password"], mailaddress=user["mail"])
        for name in document["groups"]:
            self.database.newgroup(name)
        for name, members in document["members"].items():
            self.database.add_remove_group_members(name, members, add_members_operation=True)
        self.database.transaction_commit()
        sids = {name: self.sid(name) for name in with_accounts}
        self.add_objects(document["objects"], sids)
        return {"domain_sid": str(self.database.get_domain_sid()), "sids": sids}

    def add_computer(self, name: str, *, password: str, host: str, principals: list[str]) -> None:
        """A member server's account; `name` ends in $. It has RC4 and both AES keys, as Windows machines ask for."""
        self.database.newcomputer(name.rstrip("$"))
        where = f"(sAMAccountName={name})"
        found = self.database.search(expression=where, attrs=["dNSHostName"])
        names = {"dNSHostName": [host], "servicePrincipalName": principals, "msDS-SupportedEncryptionTypes": ["28"]}
        self.add_or_replace(str(found[0].dn), {key: [one.encode() for one in values] for key, values in names.items()})
        self.database.setpassword(where, password, force_change_at_next_login=False)

    def add_objects(self, objects: list[Document], sids: dict[str, str]) -> None:
        """Add directory objects; `{NAME}` in an SDDL string stands for the SID of NAME."""
        domain_sid = str(self.database.get_domain_sid())
        self.database.transaction_start()
        for item in objects:
            attributes = {name: [value_bytes(value) for value in values] for name, values in item["attributes"].items()}
            if item.get("sddl"):
                attributes["nTSecurityDescriptor"] = [descriptor(item["sddl"].format(**sids), domain_sid)]
            self.add_or_replace(item["dn"], attributes)
        self.database.transaction_commit()

    def add_or_replace(self, dn: str, attributes: dict[str, list[bytes]]) -> None:
        """Add an object; without an objectClass, change the one that is there."""
        message = ldb.Message(ldb.Dn(self.database, dn))
        adding = "objectClass" in attributes
        for name, values in attributes.items():
            message[name] = ldb.MessageElement(values, ldb.FLAG_MOD_ADD if adding else ldb.FLAG_MOD_REPLACE, name)
        if adding:
            self.database.add(message)
        else:
            self.database.modify(message)

    def export_keytab(self, path: str, principals: list[str]) -> None:
        """Write the keys of services to a keytab."""
        net = Net(None, self.parameters)
        for principal in principals:
            net.export_keytab(keytab=path, principal=principal)


def value_bytes(value: str | dict[str, str]) -> bytes:
    """A value of the document: text, or {"base64": ...}."""
    return value.encode() if isinstance(value, str) else base64.b64decode(value["base64"])


def main(verb: str, argument: str) -> None:
    """See the module's own text."""
    document = json.load(sys.stdin)
    if verb == "descriptors":
        answer: Any = [base64.b64encode(descriptor(sddl, argument)).decode() for sddl in document]
    else:
        directory = Directory(argument)
        answer = directory.populate(document)
        directory.export_keytab(document["keytab"], document["services"])
    json.dump(answer, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
