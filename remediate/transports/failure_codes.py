"""What the codes of WinRM, LDAP, Kerberos, TLS and HTTP mean to the person who has to act on them.

Each table goes from a code to a `Meaning`: what happened and what to do next. Nothing here looks at texts, which a
server writes in its own language.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Meaning(NamedTuple):
    """What happened, and what to do next."""

    what: str
    do: str


WRONG_PASSWORD: Final = Meaning(
    "the user name or password is wrong", "Check both; do not repeat it often, each attempt counts towards a lockout."
)
LOCKED: Final = Meaning(
    "the account is locked", "Unlock it (Unlock-ADAccount) or wait until the lockout ends, then run again."
)
DISABLED: Final = Meaning("the account is disabled or has expired", "Use another account or have this one enabled.")
PASSWORD_EXPIRED: Final = Meaning(
    "the password has expired or must be changed", "Change it at a Windows logon, then run again."
)
RESTRICTED: Final = Meaning(
    "the account may not log on from here or at this time", "Check its logon hours, logon workstations and silos."
)
NO_TICKET: Final = Meaning(
    "there is no Kerberos ticket and no Windows logon to use",
    "Get a ticket with `kinit`, or name an account with --user.",
)
EXPIRED_TICKET: Final = Meaning("the Kerberos ticket has expired", "Get a new one with `kinit`, then run again.")
NO_SUCH_SERVICE: Final = Meaning(
    "Kerberos does not know this host",
    "Give the host's full DNS name, not an address or alias, and check its servicePrincipalName.",
)
NO_KDC: Final = Meaning(
    "no domain controller answers for Kerberos", "Check DNS for the realm, krb5.conf, and the way to port 88."
)
CLOCK: Final = Meaning(
    "the clocks differ by more than Kerberos allows", "Set this machine's clock by the domain's time, then run again."
)
BAD_BINDINGS: Final = Meaning(
    "the server refused the channel binding", "Connect directly: something between ends TLS and starts it anew."
)
ACCESS_DENIED: Final = Meaning(
    "access is denied", "The account needs to be in the host's Administrators or a JEA role."
)
QUOTA: Final = Meaning(
    "the host allows this account no further session", "Close its other sessions or wait a few minutes, then run again."
)
GONE: Final = Meaning("the session was ended by the host", "Check that WinRM was not restarted there, then run again.")
SLOW: Final = Meaning(
    "the host did not finish in time", "Look at its load, or allow more time (--timeout), then run again."
)

# wsmerror.h and winerror.h, as WSManFault/@Code gives them.
WSMAN: Final[dict[int, Meaning]] = {
    5: ACCESS_DENIED,
    0x80070005: ACCESS_DENIED,
    995: GONE,
    1326: WRONG_PASSWORD,
    1909: LOCKED,
    2150858793: SLOW,  # ERROR_WSMAN_OPERATION_TIMEDOUT
    2150858843: GONE,  # ERROR_WSMAN_INVALID_SELECTORS
    2150859173: QUOTA,  # ERROR_WSMAN_QUOTA_MAX_SHELLS_PPQ
    2150859174: QUOTA,  # ERROR_WSMAN_QUOTA_MAX_OPERATIONS
    2150859241: QUOTA,  # ERROR_WSMAN_QUOTA_MAX_COMMANDS_PER_SHELL_PPQ
}
# The hexadecimal "data" of AcceptSecurityContext, which is a Win32 or SSPI error (winerror.h).
LDAP_DATA: Final[dict[int, Meaning]] = {
    0x525: WRONG_PASSWORD,
    0x52E: WRONG_PASSWORD,
    0x52F: RESTRICTED,
    0x530: RESTRICTED,
    0x531: RESTRICTED,
    0x532: PASSWORD_EXPIRED,
    0x533: DISABLED,
    0x701: DISABLED,
    0x773: PASSWORD_EXPIRED,
    0x775: LOCKED,
    0x80090346: BAD_BINDINGS,  # SEC_E_BAD_BINDINGS
}
# RFC 4511, appendix A.
LDAP: Final[dict[int, Meaning]] = {
    3: Meaning("the domain controller gave up on a search for lack of time", "Run again, or name another with --dc."),
    4: Meaning("the domain controller's size limit cut an answer short", "Run again with another one (--dc)."),
    7: Meaning("the domain controller does not offer this way to log on", "Give an account with --user."),
    8: Meaning("the domain controller demands signing", "Use LDAPS, which needs a certificate on the controller."),
    10: Meaning("the object belongs to another domain", "Name a domain controller of that domain with --dc."),
    32: Meaning("the object does not exist", "Check that this is a domain controller of the right forest."),
    49: WRONG_PASSWORD,
    50: Meaning("access is denied", "The account may not read this part of the directory."),
    51: Meaning("the domain controller is busy", "Wait a little, then run again."),
    52: Meaning("the domain controller is not available", "Name another one with --dc."),
}
# RFC 4120 7.5.9 and MIT krb5's krb5_err.et, KRB5_CC_* and KRB5_*; the base is -1765328384.
KERBEROS: Final[dict[int, Meaning]] = {
    -1765328383: DISABLED,
    -1765328378: Meaning("Kerberos does not know this account", "Check its name and realm: NAME@REALM."),
    -1765328377: NO_SUCH_SERVICE,
    -1765328366: Meaning("the account is locked or disabled", "Unlock or enable it, then run again."),
    -1765328361: PASSWORD_EXPIRED,
    -1765328360: WRONG_PASSWORD,
    -1765328353: WRONG_PASSWORD,
    -1765328352: EXPIRED_TICKET,
    -1765328347: CLOCK,
    -1765328243: NO_TICKET,
    -1765328230: NO_KDC,
    -1765328228: NO_KDC,
    -1765328189: NO_TICKET,
}
# sspi.h / winerror.h, and pyspnego's ErrorCode in their stead where GSSAPI is below it.
SSPI: Final[dict[int, Meaning]] = {
    0x80090303: NO_SUCH_SERVICE,  # SEC_E_TARGET_UNKNOWN
    0x8009030C: WRONG_PASSWORD,  # SEC_E_LOGON_DENIED
    0x8009030E: NO_TICKET,  # SEC_E_NO_CREDENTIALS
    0x80090311: NO_KDC,  # SEC_E_NO_AUTHENTICATING_AUTHORITY
    0x80090324: CLOCK,  # SEC_E_TIME_SKEW
    0x80090346: BAD_BINDINGS,
    0xC0000064: WRONG_PASSWORD,  # STATUS_NO_SUCH_USER
    0xC000006A: WRONG_PASSWORD,  # STATUS_WRONG_PASSWORD
    0xC000006D: WRONG_PASSWORD,  # STATUS_LOGON_FAILURE
    0xC0000071: PASSWORD_EXPIRED,
    0xC0000072: DISABLED,
    0xC0000193: DISABLED,
    0xC0000224: PASSWORD_EXPIRED,
    0xC0000234: LOCKED,  # STATUS_ACCOUNT_LOCKED_OUT
}
_OF_THE_ACCOUNT: Final = (WRONG_PASSWORD, LOCKED, DISABLED, PASSWORD_EXPIRED, NO_TICKET, EXPIRED_TICKET)
LOGON_REFUSED: Final = frozenset({
    "KRB5 -1765328378", "KRB5 -1765328366", "LDAP 49", "HTTP 401",
    *(f"KRB5 {number}" for number, meaning in KERBEROS.items() if meaning in _OF_THE_ACCOUNT),
    *(f"LDAP 49/{number:x}" for number, meaning in LDAP_DATA.items() if meaning in _OF_THE_ACCOUNT),
    *(f"0x{number:08x}" for number, meaning in SSPI.items() if meaning in _OF_THE_ACCOUNT),
})  # fmt: skip
"""The codes by which a server refuses an account: every other would refuse it too, and count the attempt. Of all such
reasons WinRM says no more than 401."""
SPNEGO: Final[dict[int, Meaning]] = {
    2: NO_SUCH_SERVICE,
    4: BAD_BINDINGS,
    6: Meaning("an answer was altered on its way or is not the host's", "Look for a proxy in between."),
    7: NO_TICKET,
    10: WRONG_PASSWORD,
    11: EXPIRED_TICKET,
    12: EXPIRED_TICKET,
}
# x509_vfy.h of OpenSSL, X509_V_ERR_*.
_TRUST: Final = Meaning(
    "its certificate comes from a certification authority that is not trusted here",
    "Give the file with the root certificate (--trust) if the host is the right one.",
)
_NAME: Final = Meaning("its certificate is for another name", "Use the name that the certificate names.")
CERTIFICATE: Final[dict[int, Meaning]] = {
    9: Meaning("its certificate is not valid yet", "Check the clocks of both machines."),
    10: Meaning("its certificate has expired", "Renew the certificate of that host."),
    18: _TRUST,
    19: _TRUST,
    20: _TRUST,
    21: _TRUST,
    23: Meaning("its certificate is revoked", "Renew the certificate of that host."),
    62: _NAME,
    64: _NAME,
}
HTTP: Final[dict[int, Meaning]] = {
    400: Meaning("the connection was idle for too long", "Run again."),
    401: WRONG_PASSWORD,
    403: ACCESS_DENIED,
    404: Meaning("there is no WinRM behind this port", "Check that the host runs WinRM and that the port is its own."),
    407: Meaning("a proxy stands in between and wants a logon", "Connect directly (no_proxy)."),
    500: Meaning("WinRM refused the request", "Look into the host's event log Microsoft-Windows-WinRM/Operational."),
    502: Meaning("a proxy stands in between and cannot reach the host", "Connect directly (no_proxy)."),
    503: Meaning("WinRM is not ready to serve", "Check the WinRM service of that host, then run again."),
}
