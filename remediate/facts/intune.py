"""Exported Intune profiles, in the shapes that Graph and the portal give them."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any

import msgspec

from remediate.facts.addressed import Addressed
from remediate.facts.documents import IntuneObject
from remediate.model.errors import DocumentError, UnknownFact

_MEMBERS_FILE = re.compile(r"group-(?P<id>[0-9a-f-]{36})-members\.json", re.IGNORECASE)
_PKCS = re.compile(r"#microsoft\.graph\.\w+PkcsCertificateProfile")
_ROOT = re.compile(r"#microsoft\.graph\.\w+TrustedRootCertificate")
# subjectNameFormat values that need the user's mail (microsoft.graph.subjectNameFormat).
_MAIL_IN_SUBJECT = frozenset({"commonNameIncludingEmail", "commonNameAsEmail"})


class Profile(Addressed):
    """A PKCS certificate profile."""

    def __init__(self, content: dict[str, Any], members: dict[str, list[dict[str, Any]]]) -> None:
        self._content, self._members = content, members
        self.name: str = content.get("displayName") or content.get("id") or "(no name)"
        self.platform: str = content["@odata.type"].rpartition(".")[2].partition("Pkcs")[0]
        self.ca_host: str = content.get("certificationAuthority") or ""
        self.ca_name: str = content.get("certificationAuthorityName") or ""
        self.template: str = content.get("certificateTemplateName") or ""

    @property
    def wants_mail(self) -> bool:
        """Whether subject or subject alternative name takes the user's e-mail address."""
        kinds = re.split(r"[,\s]+", self._content.get("subjectAlternativeNameType") or "")
        custom = self._content.get("customSubjectAlternativeNames") or []
        texts = [self._content.get("subjectNameFormatString"), self._content.get("subjectAlternativeNameFormatString")]
        return (
            "emailAddress" in kinds
            or any(name.get("sanType") == "emailAddress" for name in custom)
            or self._content.get("subjectNameFormat") in _MAIL_IN_SUBJECT
            or any("{{emailaddress}}" in (text or "").lower() for text in texts)
        )

    def at(self, what: str) -> str:
        """Return the address of one of its fields."""
        return f"profile {self.name} {what}"

    @property
    def assigned_groups(self) -> tuple[str, ...] | None:
        """The group ids it is assigned to, None when the export holds no assignments."""
        assignments = self._content.get("assignments")
        if assignments is None:
            return None
        targets = [item.get("target") or {} for item in assignments]
        kept = [t for t in targets if "exclusion" not in str(t.get("@odata.type", "")).lower()]
        return tuple(target.get("groupId") or str(target.get("@odata.type", "")) for target in kept)

    @property
    def is_for_connector(self) -> bool:
        """Whether its certificates come from a CA behind the connector's PKCS services, and not from DigiCert."""
        return str(self._content.get("certificationAuthorityType") or "").lower() != "digicert"

    def users_without_mail(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return (users without mail, groups of whose members no export tells the mail)."""
        if self.assigned_groups is None:
            return (), ("the groups it is assigned to, which the export does not tell,",)
        without, unread = [], []
        for group in self.assigned_groups:
            users = [one for one in self._members.get(group, ()) if not str(one.get("@odata.type")).endswith(".device")]
            if group not in self._members or any("mail" not in user for user in users):
                unread.append(group)
            lacking = (user for user in users if "mail" in user and not user["mail"])
            without += [str(user.get("userPrincipalName") or user.get("id")) for user in lacking]
        return tuple(sorted(set(without))), tuple(unread)


class TrustedRoot(Addressed):
    """A trusted-certificate profile and the certificate that it carries."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.name: str = content.get("displayName") or content.get("id") or "(no name)"
        self.store: str = content.get("destinationStore") or ""
        self._certificate: str = content.get("trustedRootCertificate") or ""

    @property
    def der(self) -> bytes:
        """The certificate as DER, also where a PEM text was uploaded; empty when it is neither."""
        try:
            data = base64.b64decode(self._certificate, validate=True)
            if b"-----BEGIN" in data:
                data = base64.b64decode(b"".join(data.split(b"-----")[2].split()))
        except (binascii.Error, IndexError):
            return b""
        return data if data[:1] == b"\x30" else b""

    @property
    def is_for_subordinates(self) -> bool:
        """Whether devices are to put it among the intermediate certificates."""
        return "intermediate" in self.store.lower()

    @property
    def is_root(self) -> bool:
        """Whether the certificate is issued by its own subject. Raises UnknownFact when it cannot be read."""
        from cryptography.x509 import load_der_x509_certificate

        try:
            certificate = load_der_x509_certificate(self.der)
        except ValueError as error:
            raise UnknownFact(self.at("certificate"), "it cannot be read") from error
        return certificate.issuer == certificate.subject

    def at(self, what: str) -> str:
        """Return the address of one of its parts."""
        return f"trusted-root profile {self.name} {what}"


class Intune:
    """All exported objects of one tenant."""

    def __init__(self, objects: Iterable[IntuneObject]) -> None:
        flat = [(item.file, content) for item in objects for content in _objects(item)]
        self.members = dict(_members(flat))
        typed = [(str(content.get("@odata.type", "")), content) for _, content in flat]
        pkcs = [Profile(content, self.members) for kind, content in typed if _PKCS.fullmatch(kind)]
        self.profiles = tuple(profile for profile in pkcs if profile.is_for_connector)
        self.left_out = tuple(profile for profile in pkcs if not profile.is_for_connector)
        self.trusted_roots = tuple(TrustedRoot(content) for kind, content in typed if _ROOT.fullmatch(kind))


def _objects(item: IntuneObject) -> Iterator[dict[str, Any]]:
    try:
        content = msgspec.json.decode(item.content)
    except msgspec.DecodeError as error:
        raise DocumentError("this is not JSON", where=item.file, why=str(error)) from error
    yield from _unwrapped(content)


def _unwrapped(content: Any) -> Iterator[dict[str, Any]]:
    if isinstance(content, list):
        for element in content:
            yield from _unwrapped(element)
    elif isinstance(content, dict) and isinstance(content.get("value"), list | dict):
        yield from _unwrapped(content["value"])
    elif isinstance(content, dict):
        yield content


def _members(flat: list[tuple[str, dict[str, Any]]]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    by_file: dict[str, list[dict[str, Any]]] = {}
    for file, content in flat:
        match = _MEMBERS_FILE.search(file)
        if match is not None:
            by_file.setdefault(match["id"], []).append(content)
        elif isinstance(content.get("members"), list) and content.get("id"):
            by_file.setdefault(content["id"], []).extend(content["members"])
    yield from by_file.items()
