"""Whether a template fits what Intune asks of one, check by check: what could not be read hides no other misfit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from remediate.facts.directory import Template
from remediate.model.errors import UnknownFact


class Misfit(NamedTuple):
    """What does not fit, which attribute shows it, and what people must do."""

    attribute: str
    shows: str
    advice: str


# The requirements of Microsoft's page on PKCS certificates with Intune; [MS-CRTD] 2.26, 2.27.
_CHECKS: tuple[tuple[Callable[[Template], object], Misfit], ...] = (
    (
        lambda template: not template.exports_keys,
        Misfit("msPKI-Private-Key-Flag", "lacks EXPORTABLE_KEY", 'Tick "Allow private key to be exported".'),
    ),
    (
        lambda template: template.publishes_to_directory,
        Misfit("msPKI-Enrollment-Flag", "has PUBLISH_TO_DS", 'Untick "Publish certificate in AD".'),
    ),
    (
        lambda template: not template.authenticates,
        Misfit("key usages", "no client authentication", "Add Client Authentication."),
    ),
)


def misfits(template: Template) -> Iterator[Misfit]:
    """Yield what does not fit. Raises UnknownFact, after all that is known, for what could not be read."""
    unread: UnknownFact | None = None
    for is_so, misfit in (*_CHECKS, (lambda found: found.must_be_duplicated, None)):
        try:
            why = is_so(template)
        except UnknownFact as error:
            unread = unread or error
            continue
        if why:
            yield misfit or Misfit("origin", str(why), "Duplicate it and use the copy.")
    if unread is not None:
        raise unread
