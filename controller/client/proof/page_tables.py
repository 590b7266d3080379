"""The tables of the page: a row for each workload, and for each of its newest backups; pure."""

from collections.abc import Iterable, Sequence

from controller.client.proof.summary import (
    DAMAGED,
    GRADES,
    LOST,
    NONE,
    Backup,
    Document,
    History,
    number_of,
)
from controller.client.terminal.output import moment_of, seconds_between, size
from controller.report.page.markup import Child, Html, div, element, span
from controller.report.page.words import counted, duration, moment, shortened

# Rows of one workload, at most and at least, and of the whole page: two months of daily backups, a
# week of them, and what a browser shows at once.
_MOST, _LEAST, _WHOLE = 62, 7, 3000
_WORDS = {"drilled": "drilled", "read": "read", "stored": "stored", NONE: "not proved"}
_LEVELS = {"drilled": "good", "read": "good", "stored": "warn", NONE: "bad"}
_VERDICTS = {True: ("good", "good"), False: ("bad", "BAD")}
_SECONDS = {
    "start_seconds": "server started in",
    "restore_seconds": "restored in",
    "compare_seconds": "compared in",
    "age_seconds": "data then as old as",
}
_OF_WORKLOADS = (
    ("Workload", "name"),
    ("Strongest proof", ""),
    ("Good backups", "number"),
    ("Drilled", "number"),
    ("Read", "number"),
    ("Stored", "number"),
    ("Not proved", "number"),
    ("Drill failed", "number"),
    ("Damaged", "number"),
    ("Failed", "number"),
    ("Longest gap", "number"),
    ("Longest restore", "number"),
)
_OF_BACKUPS = (
    ("Backup", "run"),
    ("State", ""),
    ("Size", "number"),
    ("Proof", ""),
    ("Found out", "long"),
)


def histories_table(histories: Sequence[History]) -> Html:
    """Show workloads, a row each; a backup counts by its strongest proof."""
    caption = (
        f"{counted(len(histories), 'workload', 'workloads')}; each good backup is counted once, by"
        " its strongest proof"
    )
    return _table(caption, _OF_WORKLOADS, map(_history_cells, histories))


def rows_of(workloads: int) -> int:
    """How many backups are shown of each of so many workloads."""
    return max(_LEAST, min(_MOST, _WHOLE // max(workloads, 1)))


def history_section(history: History, most: int) -> Html:
    """Show the newest backups of a workload, and say how many there are besides."""
    shown = list(reversed(history.backups))[:most]
    left = len(history.backups) - len(shown)
    parts = [
        history.engine,
        f"cluster {history.cluster}",
        history.cronjob,
        counted(len(history.backups), "run", "runs"),
    ]
    if history.older:
        parts.append(f"{history.older} older ones that nothing was found out about")
    if left:
        parts.append(f"the newest {most} are shown, the document has all")
    return element(
        "section",
        element("h3", history.name),
        _table(", ".join(filter(None, parts)), _OF_BACKUPS, map(_backup_cells, shown))
        if shown
        else element("p", ", ".join(filter(None, parts)), attributes={"class": "soft"}),
    )


def _table(
    caption: str, columns: Sequence[tuple[str, str]], rows: Iterable[Sequence[Child]]
) -> Html:
    """Show rows whose first cell heads them; the roles keep it a table where rows are cards."""
    headings = (
        element("th", title, attributes={"scope": "col", "role": "columnheader", "class": kind})
        for title, kind in columns
    )
    group = {"role": "rowgroup"}
    table = element(
        "table",
        element("caption", caption),
        element("thead", element("tr", *headings, attributes={"role": "row"}), attributes=group),
        element("tbody", *(_row(columns, cells) for cells in rows), attributes=group),
        attributes={"role": "table"},
    )
    return div("wide", table)


def _row(columns: Sequence[tuple[str, str]], cells: Sequence[Child]) -> Html:
    made = []
    for number, ((title, kind), cell) in enumerate(zip(columns, cells, strict=True)):
        if number == 0:
            heads = {"scope": "row", "role": "rowheader", "class": kind}
            made.append(element("th", cell, attributes=heads))
        else:
            about = {"role": "cell", "class": kind, "data-of": title}
            made.append(element("td", cell, attributes=about))
    return element("tr", *made, attributes={"role": "row"})


def _history_cells(history: History) -> Sequence[Child]:
    gap, restore = history.longest_gap, history.restore_seconds
    grade = history.grade
    return [
        history.name,
        span(f"badge {_LEVELS[grade]}", _WORDS[grade]),
        str(len(history.good)),
        *(_number(history.graded(each)) for each in GRADES),
        _number(history.graded(NONE), "bad"),
        _number(history.drill_failed, "bad"),
        _number(history.count(DAMAGED), "bad"),
        _number(history.count(*LOST), "bad"),
        duration(gap) if gap is not None else "unknown",
        duration(restore) if restore is not None else "unknown",
    ]


def _number(count: int, kind: str = "") -> Child:
    return span(kind, str(count)) if count and kind else str(count)


def _backup_cells(backup: Backup) -> Sequence[Child]:
    document = backup.document
    took = seconds_between(backup.started, moment_of(document.get("finished")))
    grade = backup.grade
    word = _WORDS.get(grade, grade)
    notes = ", ".join(map(str, document.get("notes") or ()))
    return [
        element(
            "div",
            moment(str(document.get("started"))),
            div("soft", element("code", str(document.get("id")))),
        ),
        element(
            "div",
            span("bad" if backup.state in {DAMAGED, *LOST} else "", backup.state),
            div("bad", "its last drill failed") if backup.has_failed else None,
            div("soft", "pinned") if document.get("pinned") else None,
            div("soft", "encrypted" if document.get("encrypted") else "in the clear")
            if backup.is_there
            else None,
            div("soft", f"notes: {notes}") if notes else None,
            div("soft", shortened(str(document["why"]))) if document.get("why") else None,
        ),
        element(
            "div",
            _size(document.get("stored_bytes")),
            div("soft", f"in {duration(took)}") if took is not None else None,
        ),
        span(f"badge {_LEVELS.get(grade, 'quiet')}", word) if backup.is_there else None,
        _findings(backup),
    ]


def _size(count: object) -> str:
    return size(number_of(count) or None)


def _findings(backup: Backup) -> Html | None:
    items = [_finding(item) for item in backup.proofs()]
    return element("ul", *items) if items else None


def _finding(item: Document) -> Html:
    good = item.get("good")
    level, verdict = _VERDICTS[good] if isinstance(good, bool) else ("warn", "no verdict")
    facts = [str(item[name]) for name in ("method", "image", "mode", "target") if item.get(name)]
    facts += [f"by {item['by']}"] if item.get("by") else []
    if isinstance(tables := item.get("tables"), int):
        differing = item.get("differing")
        differ = f", {differing} of them differ" if isinstance(differing, int) and differing else ""
        facts.append(f"{counted(tables, 'table', 'tables')} compared{differ}")
    facts += [
        f"{words} {duration(seconds)}"
        for name, words in _SECONDS.items()
        if (seconds := number_of(item.get(name))) is not None
    ]
    told = [item[name] for name in ("reason", "message", "why") if item.get(name)]
    facts += [shortened(str(each)) for each in told if each != "Succeeded"]
    for name, words in (("faults", "differs"), ("unproved", "not seen by it")):
        sentences = item.get(name)
        if isinstance(sentences, list) and sentences:
            facts.append(f"{words}: {shortened('; '.join(map(str, sentences)))}")
    return element(
        "li",
        f"{item.get('kind')}: ",
        span(level, verdict),
        ", ",
        moment(str(item.get("when"))),
        f"; {', '.join(facts)}" if facts else None,
    )
