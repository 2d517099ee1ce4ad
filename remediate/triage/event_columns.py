"""How the properties of an event are called where it is written as text: in CSV headers and in pasted events.

Event Viewer writes them in the language of whoever looks; PowerShell's are the property names of EventLogRecord.
English, Swedish and German are known. The names are only used to find the columns: nothing is decided on them.
"""

from __future__ import annotations

from collections.abc import Mapping

from remediate.triage.records import LONGEST_TEXT, Record
from remediate.triage.sources_origin import Origin
from remediate.triage.sources_times import NO_MOMENT

_NAMES = {
    "when": ("date and time", "date", "timecreated", "timegenerated", "datum och tid", "datum", "datum und uhrzeit"),
    "event_id": ("event id", "id", "eventid", "händelse-id", "ereignis-id"),
    "provider": ("source", "providername", "källa", "quelle"),
    "channel": ("log name", "logname", "log", "loggnamn", "protokollname"),
    "host": ("computer", "machinename", "dator"),
    "record_id": ("recordid", "index"),
    "text": ("message", "description", "meddelande", "beskrivning", "meldung", "beschreibung"),
    "user": ("user", "användare", "benutzer", "userid"),
}
PROPERTY = {name: key for key, names in _NAMES.items() for name in names}
# The first line of an event as Event Viewer copies it, and as Format-List prints it.
FIRST = frozenset({"log name", "loggnamn", "protokollname", "timecreated"})


def event_from(values: Mapping[str, str], origin: Origin, *, kind: str, position: int) -> Record:
    """Return the event whose properties these are, by the keys of PROPERTY."""
    number = values.get("event_id", "").strip()
    when = origin.moment(values["when"]) if values.get("when") else NO_MOMENT
    user = values.get("user", "").strip()
    return Record(
        source=origin.source,
        kind=kind,
        position=position,
        when=when.when,
        zone=when.zone,
        channel=values.get("channel", "").strip(),
        provider=values.get("provider", "").strip(),
        event_id=int(number) if number.isdecimal() and len(number) < 10 else 0,
        record_id=values.get("record_id", "").strip(),
        host=values.get("host", "").strip(),
        text=values.get("text", "").strip()[:LONGEST_TEXT],
        # Who wrote the event, which is seldom whose request it was.
        data={"LoggedAs": user} if user else {},
    )
