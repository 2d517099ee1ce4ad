"""Antivirus holds the connector's request files, which stay unprocessed or are processed slowly."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import ConnectorHost, Estate, Found, Meta, cause, intents

META = Meta(
    title="Antivirus exclusions",
    section="Antivirus exclusions",
    severity="low",
    impact="Requests stay unprocessed, or are processed slowly, while antivirus holds their files.",
    rights=("local administrator on the connector host",),
    undo="exactly the folders that were added are taken out of ExclusionPath",
    symptoms=(
        "Request files stay in Failed, or in Processing for more than 15 minutes",
        "Certificates come slowly: seen only as files that stay in Processing; a finished one does not tell its time",
    ),
    sources=("Microsoft: Antivirus exclusions", "Microsoft: Add-MpPreference"),
)
WEAK = "That antivirus holds the requests is a possibility, not seen."


@cause("Requests wait, and antivirus looks into the folders", reads="connector: request files, Defender", fixes=True)
def folders_not_excluded(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    waiting = ", ".join(filter(None, (files.unprocessed for files in connector.request_files())))
    antivirus = connector.antivirus
    lacking = antivirus.not_excluded if waiting else ()
    there = tuple(folder.path for folder in lacking if folder.exists)
    if not there:
        return
    message = "Antivirus looks into the connector's folders."
    unprocessed = connector.evidence("PfxRequest", f"requests stay unprocessed: {waiting}")
    seen = (unprocessed, connector.evidence("ExclusionPath", f"lacks {', '.join(there)}"))
    if other := antivirus.instead_of_defender:
        yield Found(message, *seen, advice=f"Exclude these folders in {other}.", weak=WEAK)
    elif refused := antivirus.ruled_by:
        first = "Have whoever manages Defender add these folders there."
        yield Found(message, *seen, weak=WEAK, refused=refused, first=first)
    else:
        later = ", ".join(folder.path for folder in lacking if not folder.exists)
        advice = f"Not on this host yet; exclude it once it is: {later}." if later else ""
        yield Found(message, *seen, fix=intents.AddExclusions(connector, there), advice=advice, weak=WEAK)


@cause("Antivirus looks into the folders, nothing waits", reads="connector: request files, Defender", informs=True)
def exclusions_to_consider(connector: ConnectorHost, estate: Estate) -> Iterator[Found]:
    waits = any(files.unprocessed for files in connector.request_files())
    lacking = () if waits else connector.antivirus.not_excluded
    if any(folder.exists for folder in lacking):
        product = connector.antivirus.instead_of_defender or "Defender"
        folders = ", ".join(folder.path for folder in lacking)
        advice = f"Should certificates come slowly, exclude {folders} in {product}."
        yield Found("No request waits, so no exclusion is planned.", advice=advice)


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
