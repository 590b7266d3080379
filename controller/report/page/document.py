"""Whole pages: the front page, and one for each namespace where there is much to show."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from urllib.parse import quote

from controller.plan.absence import format_time
from controller.report.page.entries import TROUBLES, Entry, Level, count_levels
from controller.report.page.findings import Findings
from controller.report.page.markup import Child, Html, div, element, join, span
from controller.report.page.prune import prune_sentence
from controller.report.page.style import CSS
from controller.report.page.table import KINDS, table
from controller.report.page.words import counted, moment

# Rows of one page: a few hundred kilobytes, and as much as somebody looks through.
MOST = 100
NAMESPACES = "namespaces"


def front_page(entries: Sequence[Entry], findings: Findings, old: str) -> Html:
    """Show all workloads, or, of more than `MOST`, those in trouble and all namespaces.

    `old` says what is wrong with the age of this, and is empty if nothing is.
    """
    now = findings.now
    prune = prune_sentence(findings.prune) if findings.prune else None
    if len(entries) <= MOST:
        shown: Child = table(_caption(entries), entries, now) if entries else _nothing()
        return _page("Backups", entries, now, old, shown, prune)
    troubles = [entry for entry in entries if entry.level in TROUBLES]
    more = len(troubles) - MOST
    return _page(
        "Backups",
        entries,
        now,
        old,
        element("h2", "In trouble"),
        table(_caption(troubles), troubles[:MOST], now)
        if troubles
        else element("p", "No workload."),
        element("p", f"{more} more are on the pages of their namespaces.") if more > 0 else None,
        element("h2", "Namespaces"),
        _namespaces(entries),
        prune,
    )


def namespace_page(
    namespace: str, entries: Sequence[Entry], number: int, now: datetime, old: str
) -> Html:
    """Show a part of a namespace's workloads; parts are counted from 1."""
    first = (number - 1) * MOST
    shown = entries[first : first + MOST]
    where = f"{first + 1} to {first + len(shown)} of " if len(entries) > MOST else ""
    return _page(
        f"Backups of {namespace}",
        entries,
        now,
        old,
        element("p", element("a", "All namespaces", attributes={"href": "../"})),
        table(f"{where}{_caption(entries)}", shown, now),
        _parts(namespace, len(entries), number),
    )


def count_parts(count: int) -> int:
    """On how many pages so many workloads are."""
    return max(-(-count // MOST), 1)


def by_namespace(entries: Sequence[Entry]) -> Mapping[str, Sequence[Entry]]:
    """Sort out entries by their namespace, in its order."""
    found: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        found[entry.namespace].append(entry)
    return {namespace: found[namespace] for namespace in sorted(found)}


def plain_page(title: str, told: str) -> Html:
    """Say one sentence."""
    return _document(title, element("h1", title), element("p", told))


def _page(title: str, entries: Sequence[Entry], now: datetime, old: str, *children: Child) -> Html:
    return _document(
        title,
        element(
            "header",
            element("h1", title),
            element("p", "ksnapshot, as of ", moment(format_time(now)), " UTC; all times are UTC"),
            div("old", old) if old else None,
            _counts(entries),
        ),
        element("main", *children),
    )


def _document(title: str, *children: Child) -> Html:
    view = {"name": "viewport", "content": "width=device-width,initial-scale=1"}
    head = element(
        "head",
        element("meta", attributes={"charset": "utf-8"}),
        element("meta", attributes=view),
        element("meta", attributes={"name": "color-scheme", "content": "light dark"}),
        element("title", f"{title} - ksnapshot"),
        # The style's digest is in the policy: nothing of it may be escaped.
        Html(f"<style>{CSS}</style>"),
    )
    body = element("body", *children)
    return join(Html("<!doctype html>"), element("html", head, body, attributes={"lang": "en"}))


def _counts(entries: Sequence[Entry]) -> Html:
    counts = count_levels(entries)
    shown = (
        element("div", element("b", str(count)), " ", span(KINDS[level], str(level)))
        for level, count in counts.items()
    )
    return div("counts", *shown)


def _namespaces(entries: Sequence[Entry]) -> Html:
    items = (
        element("li", _link(namespace), ": ", _summed(found))
        for namespace, found in by_namespace(entries).items()
    )
    return element("ul", *items)


def _link(namespace: str, part: int = 1, text: str = "", above: str = f"{NAMESPACES}/") -> Html:
    """Link to a part of a namespace; all links are relative, as a proxy may stand before it."""
    where = f"{above}{quote(namespace, safe='')}" + (f"?part={part}" if part > 1 else "")
    return element("a", text or namespace, attributes={"href": where})


def _summed(entries: Sequence[Entry]) -> Html:
    counts = count_levels(entries)
    parts: list[Child] = []
    for level, count in counts.items():
        parts += [", " if parts else None, span(KINDS[level], f"{count} {level}")]
    return join(*parts)


def _parts(namespace: str, count: int, current: int) -> Html | None:
    last = count_parts(count)
    if last == 1:
        return None
    links = (
        f" {part} " if part == current else _link(namespace, part, f" {part} ", above="")
        for part in range(1, last + 1)
    )
    return element("nav", "Parts: ", *links, attributes={"aria-label": "Parts"})


def _caption(entries: Sequence[Entry]) -> str:
    good = sum(entry.level is Level.GOOD for entry in entries)
    return f"{counted(len(entries), 'workload', 'workloads')}, {good} good"


def _nothing() -> Html:
    return element("p", "No workload asks for backups.")
