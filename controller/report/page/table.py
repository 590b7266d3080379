"""The table of workloads."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial

from controller.model.fixes import RUN_FIXES, STATE_FIXES
from controller.model.objects import Json
from controller.model.status import Reason
from controller.plan.absence import format_time
from controller.report.page.curves import curve
from controller.report.page.entries import Entry, Level
from controller.report.page.markup import Child, Html, div, element, join, span
from controller.report.page.proofs import proofs
from controller.report.page.words import counted, duration, fix, moment, shortened
from controller.report.status_board import following_run
from controller.report.status_document import in_units
from controller.runs.history import FAILED
from dumpers.contract.result import PARTIAL

KINDS = {
    Level.OVERDUE: "bad",
    Level.REJECTED: "bad",
    Level.FAILED: "bad",
    Level.ODD: "warn",
    Level.NEW: "warn",
    Level.PAUSED: "quiet",
    Level.LEAVING: "quiet",
    Level.GOOD: "good",
}
# With the class that lays the column out.
_COLUMNS = {
    "Workload": "name",
    "State": "long",
    "Last run": "run",
    "Next run": "",
    "Stored": "half",
    "Duration": "half",
    "Backups": "",
}
_UTC = "Etc/UTC"


def table(caption: str, entries: Iterable[Entry], now: datetime) -> Html:
    """Show workloads, a row each; the roles keep it a table where it is laid out as cards."""
    headings = (
        element("th", text, attributes={"scope": "col", "role": "columnheader"})
        for text in _COLUMNS
    )
    rows = (_row(entry, now) for entry in entries)
    role = {"role": "rowgroup"}
    return element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *headings, attributes={"role": "row"}), attributes=role),
        element("tbody", *rows, attributes=role),
        attributes={"role": "table"},
    )


def _row(entry: Entry, now: datetime) -> Html:
    next_start = partial(_next_run, now=now)
    about: tuple[Callable[[Entry], Child], ...]
    about = (_state, _last_run, next_start, _size, _time, _backups)
    kind = " ".join(filter(None, (entry.row["kind"], entry.row["type"])))
    name = element(
        "th",
        f"{entry.namespace}/{entry.name}",
        div("soft", kind),
        attributes={"scope": "row", "role": "rowheader", "class": "name"},
    )
    headings = list(_COLUMNS)[1:]
    cells = (
        element("td", shown(entry), attributes=_attributes(heading))
        for heading, shown in zip(headings, about, strict=True)
    )
    return element("tr", name, *cells, attributes={"role": "row"})


def _attributes(heading: str) -> dict[str, str]:
    """Those of a cell; where rows are cards, it shows its column's heading itself."""
    return {"role": "cell", "class": _COLUMNS[heading], "data-of": heading}


def _state(entry: Entry) -> Html:
    row = entry.row
    reason = str(row["reason"])
    message = row["message"]
    is_told = reason != Reason.ANNOTATED
    late = datetime.fromtimestamp(entry.due, UTC) if entry.due is not None else None
    return join(
        span(f"badge {KINDS[entry.level]}", str(entry.level)),
        div("", "a good run was due ", moment(format_time(late)))
        if late and entry.level is Level.OVERDUE
        else None,
        div("", reason, " since ", moment(row["since"])) if is_told else None,
        div("", shortened(message)) if message else None,
        fix(STATE_FIXES.get(reason)) if is_told else None,
        div("warn", "less than half of what is usual: see Stored") if entry.is_shrunk else None,
    )


def _last_run(entry: Entry) -> Html:
    going_on = div("", "runs since ", moment(entry.running)) if entry.running else None
    result = entry.row.get("last_result")
    if result is None:
        return join(going_on, "" if going_on else span("soft", "none yet"))
    if result["outcome"] == PARTIAL:
        # The message names the storages.
        why = div("", shortened(result["message"]))
        return join(going_on, div("warn", "partial"), moment(result["finished"]), why)
    if result["outcome"] != FAILED:
        return join(going_on, div("good", "good"), moment(result["finished"]))
    reason = str(result["reason"])
    success = entry.row.get("last_success")
    return join(
        going_on,
        div("bad", "failed"),
        moment(result["finished"]),
        div("", reason, ": " if result["message"] else "", shortened(result["message"])),
        fix(RUN_FIXES.get(reason)),
        div("soft", "last good one ", moment(success)) if success else div("soft", "none was good"),
    )


def _next_run(entry: Entry, now: datetime) -> Html:
    row = entry.row
    schedule = row.get("schedule") or ""
    if not schedule:
        return Html("")
    zone = row["time_zone"] or _UTC
    said = div("soft", element("code", schedule), f" {zone}")
    # The row's own moment may have passed since it was found; a row without one has no next run.
    known = str(row["next"])
    following = following_run(known, schedule, zone, now) if known else ""
    return join(moment(following) if following else span("soft", "none"), said)


def _size(entry: Entry) -> Html:
    return _figure(entry, "sizes", lambda run: run.bytes, in_units)


def _time(entry: Entry) -> Html:
    return _figure(entry, "durations", lambda run: run.seconds, duration)


def _figure(
    entry: Entry, what: str, value: Callable[..., float], shown: Callable[[float], str]
) -> Html:
    newest = next((value(run) for run in entry.runs if run.is_good and value(run) > 0), None)
    drawn = curve(entry.runs, value, what, shown)
    return join(shown(newest) if newest is not None else None, drawn)


def _backups(entry: Entry) -> Html:
    row = entry.row
    notes = [*dict.fromkeys((row.get("last_result") or {}).get("notes", ()))]
    return join(
        _restorable(row.get("restorable")),
        *proofs(row),
        div("warn", "notes: ", ", ".join(map(str, notes))) if notes else None,
        _points(row.get("restore_points") or ()),
    )


def _restorable(found: Json | None) -> Html | None:
    if not found:
        return None
    oldest = found["oldest"]
    count = counted(found["backups"], "backup", "backups") if found["backups"] else ""
    return div(
        "",
        f"{count}, " if count else None,
        *(("from ", moment(oldest), " to ") if oldest else ("up to ",)),
        moment(found["newest"]),
    )


def _points(points: Iterable[Json]) -> Html | None:
    items = [element("li", *_point(point)) for point in points]
    if not items:
        return None
    title = f"last {counted(len(items), 'good run', 'good runs')}"
    return element("details", element("summary", title), element("ul", *items))


def _point(point: Json) -> Iterable[Child]:
    yield moment(point["finished"])
    if found := point.get("backup"):
        yield f", {found}"
    yield f", {in_units(point['bytes'])}"
    if point["notes"]:
        yield f", notes: {', '.join(map(str, point['notes']))}"
