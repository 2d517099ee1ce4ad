"""What triage found, on one screen: problem, how often, when and whom it hit, two entries as proof, what to run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from remediate.render.text import Line, beside, visible, width, wrap
from remediate.triage.report import Problem, Proof, Report, Source

_MOST_LISTED = 8
_BARS = "▁▂▃▄▅▆▇█"
_COLUMNS = 64
_MOST_UNKNOWN = 3
_STYLES = {"problem": "problem", "warning": "title", "unknown": "unknown", "consequence": "title"}
_HEADS = {"problem": "PROBLEM", "warning": "WARNING", "unknown": "UNKNOWN", "consequence": "ALSO"}


def triage_text(report: Report, *, bars: bool = False) -> Iterator[Line]:
    """Yield the report as lines. With `bars` each problem has a histogram over time, where it has times."""
    yield from wrap(read_line(report), style="title")
    yield from wrap(" ".join(told_of_times(report)), style="muted") if told_of_times(report) else ()
    yield from _overview(tuple(_on_screen(report)))
    for problem in _on_screen(report):
        yield Line("")
        yield from _problem(problem, bars=bars)
    yield from _more_codes([one for one in report.problems if one.kind == "unknown"][_MOST_UNKNOWN:])
    if not report.problems:
        yield Line("")
        yield from wrap(nothing_found(report), style="title")
        yield from _sources(report.sources)
    yield from _unread(report)
    yield Line("")
    yield from wrap(totals(report), style="title")


def _overview(problems: tuple[Problem, ...]) -> Iterator[Line]:
    """A line for each problem, where there are several: what follows of each may fill more than a screen."""
    if len(problems) < 2:
        return
    yield Line("")
    yield Line("   times  first        last         devices", "muted")
    for one in problems:
        times = f"{_month(one.first):<11}  {_month(one.last):<11}"
        title = one.title if one.kind != "unknown" else f"{one.code} {one.title}"
        text = f"{one.count:>8,}  {times}  {one.devices or '-':>7}  {visible(title)}"
        yield Line(_fit(text, "", width()), _STYLES[one.kind])


def _on_screen(report: Report) -> Iterator[Problem]:
    """Yield what is shown whole: everything but the rarer of many codes that nobody knows."""
    unknown = [one for one in report.problems if one.kind == "unknown"][_MOST_UNKNOWN:]
    return (one for one in report.problems if one not in unknown)


def _more_codes(problems: list[Problem]) -> Iterator[Line]:
    if problems:
        yield Line("")
        yield Line("UNKNOWN  More codes that no playbook knows", "unknown")
    for one in problems[:_MOST_LISTED]:
        shown = f"{one.code}  {one.name or 'no known name'}  {plural(one.count, 'time')}  {span(one.first, one.last)}"
        yield from wrap(shown.rstrip(), first="  ")
    if len(problems) > _MOST_LISTED:
        yield Line(f"  and {len(problems) - _MOST_LISTED} more, all in --json")


def read_line(report: Report) -> str:
    """What was read: how many sources of which kinds, records, bytes, and the span of time."""
    kinds = Counter(source.kind or "other" for source in report.sources)
    told = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    sources = plural(len(report.sources), "source") + (f" ({told})" if told else "")
    parts = [sources, plural(report.records, "record"), size(report.size), span(report.first, report.last)]
    return "Read " + ", ".join(filter(None, parts)) + "."


def nothing_found(report: Report) -> str:
    """What is to be said where no problem was found."""
    return "No known problem stands in what was read." if report.sources else "Nothing was read."


def told_of_times(report: Report) -> tuple[str, ...]:
    """What has to be known of the times and counts, a sentence each."""
    zones = sorted({zone for source in report.sources for zone in source.zones})
    local = f", where that is local taken as {report.assumed_zone}" if report.assumed_zone else ""
    told = [
        f"Times are UTC; the logs give them as {', '.join(zones)}{local}." if zones else "",
        f"Only what was written since {report.since}, or has no time." if report.since else "",
        f"{plural(report.copies, 'entry', 'entries')} read before {'was' if report.copies == 1 else 'were'} not "
        "counted again." if report.copies else "",
        f"{plural(report.issued, 'entry', 'entries')} of certificates that were issued." if report.issued else "",
        "Users, devices and e-mail addresses are pseudonyms." if report.redacted else "",
        *report.notes,
    ]  # fmt: skip
    return tuple(filter(None, told))


def totals(report: Report) -> str:
    """The last line: how many problems, and whether everything could be read."""
    kinds = Counter(problem.kind for problem in report.problems)
    found = [plural(kinds["problem"], "problem")]
    if kinds["warning"]:
        found.append(plural(kinds["warning"], "warning"))
    if kinds["unknown"]:
        found.append(plural(kinds["unknown"], "code without a playbook", "codes without a playbook"))
    lost = sum(one.lost for one in report.unread)
    unread = f" {plural(lost, 'thing')} could not be read." if lost else ""
    return ", ".join(found) + "." + unread


def hit(problem: Problem) -> str:
    """Whom it hit, and what became of their requests; empty where no entry says."""
    requests = problem.requests
    became = []
    if requests.recovered:
        became = [f"{requests.recovered} issued later", f"{requests.failing} still failing"]
    at_least = "at least " if requests.at_least else ""
    parts = [
        at_least + plural(problem.devices, "device") if problem.devices else "",
        plural(problem.users, "user") if problem.users else "",
        ", ".join(became),
        "on " + ", ".join(problem.hosts) if any(problem.hosts) else "",
    ]
    return " · ".join(filter(None, parts))


def named(problem: Problem) -> str:
    """The CAs and templates that the entries name."""
    parts = [f"CA {name}" for name in problem.certification_authorities]
    return " · ".join([*parts, *(f"template {name}" for name in problem.templates)])


def _problem(problem: Problem, *, bars: bool) -> Iterator[Line]:
    code = f"{problem.code} {problem.name}".strip() if problem.kind != "unknown" else problem.code
    yield from beside(f"{_HEADS[problem.kind]}  {problem.title}", code, column=72, style=_STYLES[problem.kind])
    yield from wrap(problem.meaning, first="  ")
    when = span(problem.first, problem.last)
    seen = " · ".join(filter(None, (plural(problem.count, "time"), when, hit(problem), named(problem))))
    yield from wrap(seen, first="  seen    ")
    yield from _bars(problem) if bars else ()
    for proof in problem.proof:
        yield _proof(proof, problem.code)
    for note in problem.notes:
        yield from wrap(note, first="  note    ")
    # Never in two lines: it is there to be copied.
    yield Line(f"  next    {visible(problem.command)}", "add")


def _proof(proof: Proof, code: str) -> Line:
    """One line: time, text, and the file's name; the text is cut so that the code is still in it."""
    when = f"{_month(proof.when)}  " if proof.when else ""
    place = f"  ({_file(proof.source)}:{proof.position})" if proof.position else f"  ({_file(proof.source)})"
    room = width() - len("  proof   ") - len(when) - len(place)
    return Line(f"  proof   {when}{_fit(visible(proof.text), code, room)}{place}", "muted")


def _file(source: str) -> str:
    name = visible(source.replace("\\", "/").rstrip("/").rpartition("/")[2])
    return name if len(name) <= 20 else f"…{name[-19:]}"


def _fit(text: str, code: str, room: int) -> str:
    if len(text) <= room:
        return text
    at = text.lower().find(code.lower()) if code else 0
    if at + len(code) < room - 1:
        return text[: room - 1] + "…"
    start = at + len(code) - (room - 2)
    return "…" + text[start : start + room - 2] + "…"


def _bars(problem: Problem) -> Iterator[Line]:
    steps = [(datetime.fromisoformat(bucket.start), bucket.count) for bucket in problem.histogram]
    if len(steps) < 2:
        return
    first, last = steps[0][0], steps[-1][0]
    minutes = max((last - first).total_seconds() / 60 + problem.step_minutes, 1)
    columns = [0] * min(_COLUMNS, width() - 34, max(2, int(minutes // problem.step_minutes)))
    for start, count in steps:
        at = int((start - first).total_seconds() / 60 / minutes * len(columns))
        columns[min(at, len(columns) - 1)] += count
    shown = "".join(_bar(count, max(columns)) for count in columns)
    yield Line(f"          {_stamp(first)} {shown} {_stamp(last)}")


def _bar(count: int, most: int) -> str:
    return _BARS[(count * len(_BARS) - 1) // most] if count else " "


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%m-%d %H:%M")


def _sources(sources: Iterable[Source]) -> Iterator[Line]:
    listed = list(sources)
    for source in listed[:_MOST_LISTED]:
        parts = (source.kind or "other", plural(source.scanned, "record"), span(source.first, source.last))
        yield from wrap(f"{source.source}: {', '.join(filter(None, parts))}", first="  ")
    if len(listed) > _MOST_LISTED:
        yield Line(f"  and {len(listed) - _MOST_LISTED} more")


def _unread(report: Report) -> Iterator[Line]:
    if report.unread:
        yield Line("")
    for one in sorted(report.unread, key=lambda one: not one.lost)[:_MOST_LISTED]:
        place = f" at {one.position}" if one.position else ""
        head, style = ("UNREAD   ", "unknown") if one.lost else ("READ     ", "muted")
        yield from wrap(f"{one.source}{place}: {one.what}", first=head, style=style)
    if len(report.unread) > _MOST_LISTED:
        yield Line(f"         and {len(report.unread) - _MOST_LISTED} more, all in --json", "unknown")


def _month(when: str) -> str:
    """A time to the minute without its year, which stands above; empty for none."""
    return minute(when)[5:-4]


def minute(when: str) -> str:
    """A time to the minute, as people read it; empty for none."""
    return f"{when[:10]} {when[11:16]} UTC" if when else ""


def span(first: str, last: str) -> str:
    """From when to when, to the minute."""
    start, end = minute(first), minute(last)
    if not start or start == end:
        return start or end
    shown = end[11:] if start[:10] == end[:10] else end
    return f"{start[:-4]} to {shown}"


def plural(number: int, one: str, many: str = "") -> str:
    """A number and its noun, with commas between thousands."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def size(number: int) -> str:
    """Bytes as people read them; empty for none."""
    for unit, factor in (("GB", 1 << 30), ("MB", 1 << 20), ("kB", 1 << 10)):
        if number >= factor:
            return f"{number / factor:.1f} {unit}"
    return f"{number} bytes" if number else ""
