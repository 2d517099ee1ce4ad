"""The CA answers, but refuses the request as incorrect: a wrong CA name, or mail that a user does not have."""

from __future__ import annotations

from collections.abc import Iterator

from remediate import Estate, Evidence, Found, Meta, Profile, cause

META = Meta(
    title="The parameter is incorrect",
    section="The parameter is incorrect 0x80070057",
    severity="high",
    impact="Requests of the profile fail for everybody, or for the users without mail.",
    codes=("0x80070057",),
    rights=("Intune administrator for profiles and assignments", "whoever keeps the users' mail addresses"),
    undo="the profile's fields and assignments as they were",
    symptoms=("Connector log: IssuePfx, ArgumentException 0x80070057",),
    sources=("Microsoft: The parameter is incorrect 0x80070057", "microsoft.graph.subjectNameFormat"),
)


@cause("The CA of this host has another name", reads=("Intune: certificationAuthorityName", "directory: displayName"))
def profile_names_wrong_ca(profile: Profile, estate: Estate) -> Iterator[Found]:
    if wrong := estate.wrong_name(profile):
        yield Found(wrong.message, *wrong.evidence, advice=wrong.advice, weak=wrong.weak)


@cause("The certificate takes a mail address that users do not have", reads="Intune: profile, members of its groups")
def users_have_no_mail(profile: Profile, estate: Estate) -> Iterator[Found]:
    without, unread = profile.users_without_mail() if profile.wants_mail else ((), ())
    if without:
        seen = [profile.evidence(f"{len(without)} users without mail", ", ".join(without[:20]))]
        if unread:
            seen.append(Evidence("groups whose members were not exported", ", ".join(unread)))
        advice = "Give these users a mail address, or take another attribute into the subject alternative name."
        yield Found("The profile takes the e-mail address, which some users lack.", *seen, advice=advice)


@cause("Mail addresses that nobody exported", reads="Intune: members of the profile's groups", informs=True)
def mail_not_exported(profile: Profile, estate: Estate) -> Iterator[Found]:
    unread = profile.users_without_mail()[1] if profile.wants_mail else ()
    if unread:
        message = f"It takes the e-mail address; whether the members of {', '.join(unread)} have one is not known."
        yield Found(message, advice="Export them to group-ID-members.json, with mail, then plan again.")


@cause("The profile is assigned to nobody", reads="Intune: assignments")
def not_assigned(profile: Profile, estate: Estate) -> Iterator[Found]:
    if profile.assigned_groups == ():
        advice = "Assign the profile to the group that is to have certificates, as its trusted-root profile is."
        yield Found("The profile is assigned to nobody.", profile.evidence("assignments", "none"), advice=advice)


if __name__ == "__main__":
    from remediate.cli.main import run_playbook

    run_playbook(__file__)
