"""The CA wants a mail address of the caller, because the template builds the subject from the directory."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import CertificationAuthority, Estate, Found, Issuance, Meta, Template, cause, intents

META = Meta(
    title="The e-mail name is unavailable",
    section="Error -2146875374 CERTSRV_E_SUBJECT_EMAIL_REQUIRED",
    severity="high",
    impact="The CA names the connector instead of the user, and denies requests whose caller has no mail address.",
    codes=("0x80094812",),
    rights=("write access to the template", "write access to the enrollment service"),
    undo="the flags as they were, the minor revision rises once more; the template taken off the CA again",
    symptoms=("CA: event 53 with 0x80094812", 'Connector log: "Denied by Policy Module"'),
    sources=("[MS-CRTD] 2.28", "[MS-WCCE] 3.2.2.6.2.1.4.5.9", "Microsoft: CERTSRV_E_SUBJECT_EMAIL_REQUIRED"),
)


@cause("The template builds the subject from the directory", reads="directory: msPKI-Certificate-Name-Flag", fixes=True)
def subject_from_directory(template: Template, estate: Estate) -> Iterator[Found]:
    flag = template.name_flag
    if not template.takes_subject_from_request:
        seen = template.flags_evidence("msPKI-Certificate-Name-Flag", flag)
        publish = (intents.Publish(template, ca) for ca in estate.issuers_without(template))
        wanted = intents.SetNameFlag(template, flag.supplied_in_the_request())
        yield Found(f"{template.name} builds the subject from the directory.", seen, fix=(wanted, *publish))


@cause("Many can take any name already", reads=("directory: template, DACL, certificateTemplates",), informs=True)
def open_to_many(issuance: Issuance, estate: Estate) -> Iterator[Found]:
    if who := estate.open_to(issuance):
        message = f"{who} can obtain a logon certificate in any name from it today (ESC1)."
        yield Found(message, advice="Take Enroll from whoever is not the connector's account.")


@cause("The CA takes any name from attributes of a request", reads="CA: EditFlags", informs=True)
def names_by_attribute(ca: CertificationAuthority, estate: Estate) -> Iterator[Found]:
    if ca.takes_names_from_attributes:
        message = "EDITF_ATTRIBUTESUBJECTALTNAME2 is set: whoever enrols there may take any name, from every template."
        yield Found(message, advice="Clear it (certutil -setreg policy\\EditFlags) and restart CertSvc, if unused.")


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
