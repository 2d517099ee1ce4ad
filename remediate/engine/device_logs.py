"""What a device itself can tell of a PKCS certificate that does not arrive: how to collect its log, what that shows.

Of PKCS the device sees the two ends only: the profile, and the PFX that Intune encrypts for it. The connector asks the
CA, so no log of a device says why a CA refused; the connector's log and the CA's events do.
"""

from __future__ import annotations

from typing import Final

import msgspec

_ARTICLE = "Microsoft: Troubleshoot PKCS certificate profiles, data and log files"


class DeviceLog(msgspec.Struct, frozen=True, kw_only=True):
    """A platform's log: how to collect it, what it can show, what it cannot; `source` documents the collection.

    What it can show follows from the article's steps 6 and 7: Intune sends the PFX, the device reports its state.
    """

    platform: str
    log: str
    collect: tuple[str, ...]
    shows: str
    limits: str
    source: str


DEVICE_LOGS: Final = (
    DeviceLog(
        platform="Android",
        log="OMADM.log of the Company Portal",
        collect=(
            "turn on verbose logging in the Company Portal (or the Intune app) first",
            "reproduce: let the device check in",
            "send the logs from the app by e-mail, or copy OMADM.log over a USB cable",
        ),
        shows="whether the profile reached the device, and whether the root certificate and the PFX were installed",
        limits="nothing of what happened between Intune, the connector and the CA",
        source=_ARTICLE,
    ),
    DeviceLog(
        platform="iOS and iPadOS",
        log="the console, read on a Mac with Xcode",
        collect=(
            "connect the device to the Mac; open Applications > Utilities > Console and choose the device",
            "in the Action menu include info messages and debug messages",
            "reproduce: let the device check in",
            "Edit > Select All, Edit > Copy, and paste it into a text file",
        ),
        shows="whether the profile arrived, and why the device would not install it or its certificate",
        limits="the Company Portal's own log says nothing of PKCS profiles there",
        source=_ARTICLE,
    ),
    DeviceLog(
        platform="Windows",
        log="event log Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider/Admin",
        collect=(
            "Event Viewer > Applications and Services Logs > Microsoft > Windows > "
            "DeviceManagement-Enterprise-Diagnostics-Provider > Admin",
            "reproduce: Settings > Accounts > Access work or school > Info > Sync",
            "wevtutil epl Microsoft-Windows-DeviceManagement-Enterprise-Diagnostics-Provider/Admin device.evtx",
        ),
        shows="commands of the enrolment channel that failed, with path and HRESULT; a PFX comes by "
        "ClientCertificateInstall/PFXCertInstall",
        limits="when there is no command for PFXCertInstall, Intune sent none: look at the connector and the CA",
        source=f"{_ARTICLE}; ClientCertificateInstall CSP",
    ),
)
