"""Antivirus on a connector host: which folders it is not told to leave alone, and who may tell it."""

from __future__ import annotations

import re
from collections.abc import Callable

from remediate.facts.documents import ConnectorDocument, DefenderStatus, Folder


class Antivirus:
    """Defender and other products on one host. Asking for what could not be read raises UnknownFact."""

    def __init__(self, document: ConnectorDocument, at: Callable[[str], str]) -> None:
        self._document, self._at = document, at

    @property
    def not_excluded(self) -> tuple[Folder, ...]:
        """The connector's folders that no exclusion of Defender covers, itself or a folder above it."""
        folders = self._document.antivirus_folders.need(self._at("folders")) or []
        excluded = self._document.defender_exclusions.need(self._at("ExclusionPath")) or []
        known = tuple(f"{_plain(path)}\\" for path in excluded)
        return tuple(folder for folder in folders if not f"{_plain(folder.path)}\\".startswith(known))

    @property
    def instead_of_defender(self) -> str:
        """What else guards this host, empty when Defender alone does. A product that is not known is none."""
        others = self._document.foreign_antivirus.if_known() or []
        status = self._status
        defends = status is not None and status.running_mode == "Normal"
        return ", ".join(others) or ("" if defends else "the antivirus that runs here, if there is one")

    @property
    def ruled_by(self) -> str:
        """Why an administrator of the host cannot set Defender's exclusions, empty when he can."""
        status, policy = self._status, self._document.defender_policy.need(self._at("Defender policy"))
        if status and status.tamper_protected:
            return "Defender is protected against tampering"
        managed = policy and (policy.exclusions_managed or policy.local_admin_merge_disabled)
        return "a policy manages Defender's exclusions" if managed else ""

    @property
    def _status(self) -> DefenderStatus | None:
        return self._document.defender_status.need(self._at("Defender status"))


def _plain(path: str) -> str:
    """A path without case, a closing backslash, and the one variable that these paths begin with."""
    return re.sub(r"^%programfiles%|^%programw6432%", r"c:\\program files", path.strip().lower()).rstrip("\\*")
