"""Antivirus holds the connector's request files, which stay unprocessed."""

from __future__ import annotations

import re
from collections.abc import Iterator

from remediate import AddExclusions, ConnectorHost, Estate, Evidence, Found, Meta, cause

META = Meta(
    title="Antivirus exclusions",
    section="Antivirus exclusions",
    severity="low",
    impact="Requests stay unprocessed, or are processed slowly, while antivirus holds their files.",
    rights=("local administrator on the connector host",),
    undo="exactly the folders that were added are taken out of ExclusionPath",
    symptoms=("Request files stay in PfxRequest, Processing or Failed",),
    sources=("Microsoft: Antivirus exclusions", "Microsoft: Add-MpPreference"),
)


@cause("Antivirus does not leave the folders alone", reads=("connector: request files, Defender",), fixes=True)
def folders_not_excluded(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    waiting = sum(
        part.total for _, parts in connector.request_folders() for name, part in parts.items() if name != "Succeed"
    )
    missing = not_excluded(connector) if waiting else ()
    if not missing:
        return
    evidence = (
        Evidence(connector.at("PfxRequest"), f"{waiting} requests stay unprocessed"),
        Evidence(connector.at("ExclusionPath"), f"lacks {', '.join(missing)}"),
    )
    message, weak = (
        "Antivirus looks into the connector's folders.",
        "That antivirus holds the requests is a possibility, not seen.",
    )
    status = connector.document.defender_status.need(connector.at("Defender status"))
    others = connector.document.foreign_antivirus.if_known() or []
    if status is None or status.running_mode != "Normal" or others:
        advice = f"Exclude these folders in {', '.join(others) or 'the antivirus that runs here'}, if there is one."
        yield Found(message, evidence, advice=(advice,), weak=weak)
    elif refused := who_rules(connector):
        first = "Have whoever manages Defender add these folders there."
        yield Found(message, evidence, advice=(first,), weak=weak, refused=refused, first=first)
    else:
        yield Found(message, evidence, fix=(AddExclusions(connector, missing),), weak=weak)


def not_excluded(connector: ConnectorHost) -> tuple[str, ...]:
    """The folders that exist here and that no exclusion covers, itself or a folder above it."""
    folders = connector.document.antivirus_folders.need(connector.at("folders")) or []
    excluded = connector.document.defender_exclusions.need(connector.at("ExclusionPath")) or []
    known = [plain(path) for path in excluded]
    there = (folder.path for folder in folders if folder.exists)
    return tuple(path for path in there if not any(f"{plain(path)}\\".startswith(f"{over}\\") for over in known))


def plain(path: str) -> str:
    """A path without case, a closing backslash, and the one variable that these paths begin with."""
    return re.sub(r"^%programfiles%|^%programw6432%", r"c:\\program files", path.strip().lower()).rstrip("\\*")


def who_rules(connector: ConnectorHost) -> str:
    """Why an administrator of the host cannot set exclusions, empty when he can."""
    status = connector.document.defender_status.need(connector.at("Defender status"))
    policy = connector.document.defender_policy.need(connector.at("Defender policy"))
    if status and status.tamper_protected:
        return "Defender is protected against tampering"
    managed = policy and (policy.exclusions_managed or policy.local_admin_merge_disabled)
    return "a policy manages Defender's exclusions" if managed else ""


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
