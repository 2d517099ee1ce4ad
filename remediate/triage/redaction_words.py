"""The words by which redaction tells names from what stands around them, in English, Swedish and German.

Labels say that a value is a user's or a device's; ordinary words behind `user` are no name; some accounts are nobody.
"""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


# What stands before a colon or an equals sign, small letters only. The end of a longer label counts: `targetUserName`.
USER_LABELS = (
    "begärandenamn", "användarensnamn", "namederanforderung", "nameofuser", "nameoftheuser",
    "user", "users", "username", "usernames", "userid", "userids", "useridentifier", "useraccount",
    "userdisplayname", "userprincipal", "principalname", "upn", "upns", "owner", "ownername", "requester",
    "requestername", "requestor", "requestorname", "requestedby", "caller", "callername", "calledby", "account",
    "accountname", "accountid", "displayname", "givenname", "firstname", "lastname", "familyname", "fullname",
    "commonname", "surname", "nickname", "logonname", "loginname", "login", "signinname", "loggedas",
    "loggedonuser", "subject", "subjectname", "subjectcn", "subjectaltname", "subjectalternativename", "email",
    "emails", "emailaddress", "mail", "mailaddress", "mailnickname", "rfcname", "initiator", "initiatedby",
    "enrolledby", "recipient", "person", "employee", "employeeid", "användare", "användaren", "användarens",
    "användarnamn", "användarnamnet", "användarid", "användarkonto", "användaridentitet", "huvudnamn", "konto",
    "kontot", "kontonamn", "kontonamnet", "begärande", "begärare", "beställare", "ägare", "ägarens", "anropare",
    "anroparen", "förnamn", "efternamn", "visningsnamn", "namnpåbegäranden", "inloggningsnamn", "epost",
    "epostadress", "ämne", "ämnesnamn", "sökande", "innehavare", "certifikatmottagare", "anvandare", "anvandarnamn",
    "benutzer", "benutzers", "benutzername", "benutzernamen", "benutzerid", "benutzerkennung", "benutzerkonto",
    "prinzipalname", "kontoname", "antragsteller", "antragstellername", "anforderer", "anforderername", "aufrufer",
    "besitzer", "eigentümer", "inhaber", "vorname", "nachname", "familienname", "anzeigename", "anmeldename",
    "emailadresse", "mailadresse", "betreff", "betreffname",
    "logon", "logons", "principal", "principals", "identity", "identityname", "identities", "registeredby",
    "submittedby", "submitter", "applicant", "registrant", "requestedfor", "enrolledfor", "issuedto", "loggedinas",
    "loggedonas", "signedinas", "signin", "runas", "certificateholder", "useralias", "mailalias",
    "inloggning", "inloggningen", "inloggad", "inloggadsom", "inloggningsid", "registreradav", "registreratav",
    "begärdav", "begärtav", "begardav", "beställdav", "inskickadav", "initieradav", "anropadav", "utfärdadtill",
    "identitet", "identiteten", "identitetsnamn", "anställd", "mottagare", "sokande", "agare",
    "anwender", "anwenders", "anwendername", "anwenderid", "anwenderkennung", "anwenderkonto", "anmeldung",
    "angemeldetals", "nutzer", "nutzers", "nutzername", "nutzerid", "nutzerkennung", "nutzerkonto", "antragstellers",
    "anfragesteller", "anfordernder", "registriertvon", "angefordertvon", "beantragtvon", "eingereichtvon",
    "initiiertvon", "aufgerufenvon", "ausgestelltfür", "ausgestelltfuer", "ausgestelltan", "identität", "identitaet",
    "identitätsname", "prinzipal", "prinzipals", "mitarbeiter", "mitarbeitername", "mitarbeiterid", "empfänger",
    "empfaenger", "eigentuemer",
)  # fmt: skip
DEVICE_LABELS = (
    "enhetensnamn", "namnpåenhet", "geräts", "gerätsname", "nameofdevice", "nameofthedevice",
    "device", "devicename", "devicenames", "devices", "deviceidentifier", "devicedisplayname", "dnsname", "enhet",
    "enheten", "enhetens", "enhetsnamn", "enhetsnamnet", "gerät", "geräte", "gerätes", "gerätename", "gerätenamen",
    "geraet", "geraetename", "deviceidentity", "geräteidentität", "hostnameofdevice", "clientname",
    "workstation", "workstationname",
)  # fmt: skip
# What stands behind these is one word.
ID_LABELS = (
    "deviceid", "deviceids", "serialnumber", "serialno", "serial", "imei", "meid", "udid", "iccid", "hardwareid",
    "enhetsid", "enhetid", "enhetensid", "enhetsidentitet", "serienummer", "geräteid", "gerätid", "gerätekennung",
    "geraeteid", "seriennummer",
)  # fmt: skip

# Accounts of the system and values that say that there is none.
NOBODY = frozenset(
    ("system", "local service", "network service", "local system", "lokaler dienst", "netzwerkdienst", "lokal tjänst",
     "nätverkstjänst", "anonymous logon", "everyone", "authenticated users", "null", "none", "nil", "true", "false",
     "n/a", "na", "unknown", "okänd", "unbekannt", "-", "s-1-5-18", "s-1-5-19", "s-1-5-20", "(null)", "empty"),
)  # fmt: skip
# `NT AUTHORITY\SYSTEM` and the like, the part before the backslash.
SYSTEM_DOMAINS = _words("authority autorität instans service apppool builtin vordefiniert inbyggd tjänst dienst")

# What follows `user`, or a name, in sentences of the products: no names.
ORDINARY = _words(
    """
    about access account accounts action active added additional address admin administrator after agent all
    already also an and any application apps are as assigned assignment at attempt attempted attempts attribute
    attributes authentication authority based be because been before between but by ca can cannot cert certificate
    certificates certification class code command computer configuration connection connector context control
    could created credential credentials current data date defined denied deny described device devices did
    directory disabled disposition do does domain during each either email enabled enroll enrolled enrollment
    entry error errors event events exception exists expired fail failed fails failure file files folder following
    for from gave get given got group groups had has have having host id identifier identity ids if in info
    information input instead interaction interface interrupted into intune invalid is issue issued issuing it its
    key known last left list local locked log logged login logon logs lookup mail may message missing mode must
    name named names needs network new no none not null number object of offline on once only operation option or
    other out over owner pack password permission permissions policy portal principal principals private problem
    process profile profiles property provided provider public reason received record refused rejected removed
    request requested requester requesting requests required requires response result retry revoked right rights
    role root said san scope see sent serial server service services session set setting settings shall should sid
    sign signed since so specified state status still store string subject submitted such succeeded success
    supplied support system target task template templates than that the their them then there this thumbprint
    time timeout times to token tried tries trust trusted type unable under unknown until upn url use used user
    username users using valid value values version via wait waiting was were when where which while who whose
    will wins with without would write xml you your zone administratör avvisad avvisades begäran certifikat
    certifikatet den denna det där efter eller enhet ett fel finns felet från för försök grupp har hade inte kan
    konto kunde med mall men misslyckades namn nekad nekades när och om profil på saknar saknas ska som till utan
    var vid är abgelehnt als am anforderung auf aus bei bereits das dem der des die durch ein eine einen einer
    fehler fehlgeschlagen für gerät gruppe hat im ist kann keine kein kennung konnte mit nach nicht oder ohne über
    um und verweigert vom von vor war weitere wird wurde zertifikat zu zum zur ytterligare informationen microsoft
    windows nt win32 com rpc http https error_code
    """
)
# Particles of names: ordinary words elsewhere, but a name goes on behind them.
PARTICLES = _words("van von der den de la av af zu und och and")

# Values of the registry that certutil -setreg names as `ca\X`, `policy\X` and so on ([MS-CSRA]).
REGISTRY_VALUES = _words(
    """
    usedefinedcacertinrequest requestdisposition editflags interfaceflags crlflags loglevel auditfilter kraflags
    cacertpublicationurls crlpublicationurls validityperiod validityperiodunits crlperiod crlperiodunits
    crloverlapperiod crloverlapunits crldeltaperiod crldeltaperiodunits crldeltaoverlapperiod crldeltaoverlapunits
    crledatetime chaincacheresyncfiletime setupstatus enforcex500namelengths subjecttemplate disableextensionlist
    enablerequestextensionlist enableenrolleerequestextensionlist csp encryptioncsp dsconfigdn dsdomaindn caserver
    commonname catype policyflags forceteletex clockskewminutes highserial viewageminutes maxincomingmessagesize
    dbsessioncount dbflags dbdirectory logpath active configurationdirectory officerrights enrollmentagentrights
    useds webclientcamachine signaturehashalgorithm viewidleminutes certificatehash cacerthash cryptoproviders
    """
)
REGISTRY_PLACES = _words("ca policy exit restore template enroll chain")
