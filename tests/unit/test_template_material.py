"""Templates that others published, through our own Template: everything that playbooks and guards ask of one."""

from __future__ import annotations

import pytest

from remediate.adcs.flags import CertificateNameFlag, EnrollmentFlag, PrivateKeyFlag, TemplateFlag, signed
from remediate.facts.directory import Template
from remediate.facts.documents import Entry, Octets
from remediate.model.errors import UnknownFact
from tests.lab import material
from tests.shared import SHARED, needs_shared

FOUND = material.templates(SHARED / "material" / "templates") if SHARED else {}
FLAGS = {
    "name_flag": ("msPKI-Certificate-Name-Flag", CertificateNameFlag),
    "enrollment_flag": ("msPKI-Enrollment-Flag", EnrollmentFlag),
    "private_key_flag": ("msPKI-Private-Key-Flag", PrivateKeyFlag),
    "flags": ("flags", TemplateFlag),
}


def template(name: str) -> Template:
    values = {
        attribute: [Octets(value) if isinstance(value, bytes) else value for value in found]
        for attribute, found in FOUND[name].items()
    }
    return Template(Entry(f"CN={name},CN=Certificate Templates", {"cn": [name], **values}))


each = pytest.mark.parametrize("name", sorted(FOUND) or [pytest.param("none", marks=needs_shared)])


@needs_shared
def test_there_are_templates_to_read() -> None:
    assert len(FOUND) > 60


@each
def test_its_flags_are_those_that_stand_there(name: str) -> None:
    for member, (attribute, kind) in FLAGS.items():
        (stands,) = FOUND[name][attribute]
        value = getattr(template(name), member)
        assert isinstance(value, kind)
        assert signed(int(value)) == signed(int(stands) & 0xFFFFFFFF), attribute


@each
def test_every_judgment_can_be_made(name: str) -> None:
    found = template(name)
    assert found.name == name
    assert found.schema_version == int(str(FOUND[name].get("msPKI-Template-Schema-Version", ["1"])[0]))
    assert found.minor_revision == int(str(FOUND[name]["msPKI-Template-Minor-Revision"][0]))
    assert found.signatures_required == int(str(FOUND[name].get("msPKI-RA-Signature", ["0"])[0]))
    judged = (found.exports_keys, found.publishes_to_directory, found.wants_approval, found.authenticates)
    assert all(isinstance(value, bool) for value in (*judged, found.takes_subject_from_request))
    assert set(found.usages) <= {str(value) for values in FOUND[name].values() for value in values}
    assert bool(found.must_be_duplicated) is (
        found.schema_version < 2 or bool(int(str(FOUND[name]["flags"][0])) & TemplateFlag.IS_DEFAULT)
    )


@each
def test_a_descriptor_that_was_not_given_is_unknown(name: str) -> None:
    with pytest.raises(UnknownFact):
        _ = template(name).enrollers
