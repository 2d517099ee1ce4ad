"""Times as every document writes them: UTC, ISO 8601, to the second, with Z. Texts of this form sort as times do."""

from __future__ import annotations

from datetime import UTC, datetime


def utc_text(moment: datetime) -> str:
    """Return an aware time as `2026-11-23T09:12:00Z`."""
    return f"{moment.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def utc_now() -> str:
    """Return the present time in that form."""
    return utc_text(datetime.now(UTC))
