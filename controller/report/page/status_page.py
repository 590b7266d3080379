"""The page as it is now: rendered once for each pass, and only what somebody asks for."""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from http import HTTPStatus
from types import MappingProxyType
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

from controller.report.page.document import (
    NAMESPACES,
    by_namespace,
    count_parts,
    front_page,
    namespace_page,
    plain_page,
)
from controller.report.page.entries import Entry, entries_of
from controller.report.page.findings import Findings
from controller.report.page.markup import Html
from controller.report.page.words import duration
from controller.settings.settings import Settings

_NOT_YET = (
    "The first pass over the cluster has not ended yet, or another replica makes the passes: ask "
    "that one, which holds the Lease."
)


class Answer(NamedTuple):
    """What a request for a page gets."""

    status: HTTPStatus
    body: bytes


class _Rendered(NamedTuple):
    """What was made of the last pass's findings so far."""

    entries: tuple[Entry, ...]
    pages: dict[tuple[str, int, bool], bytes]


class StatusPage:
    """Answers from the last pass's findings; threads may ask while a pass goes on."""

    def __init__(self, settings: Settings, clock: Callable[[], float] = time.time) -> None:
        self._limit = settings.longest_silence
        self._clock = clock
        self._findings: Findings | None = None
        self._rendered: _Rendered | None = None
        self._lock = threading.Lock()

    def update(
        self,
        findings: Findings | None,
        running: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Take what a pass found, and the runs that go on; None if no pass found anything yet."""
        # What was made of the last ones goes with them: a page may be looked at once in a year.
        with self._lock:
            self._findings = replace(findings, running=running) if findings else None
            self._rendered = None

    def forget(self) -> None:
        """Drop the findings, which another replica makes untrue."""
        self.update(None)

    def answer(self, target: str) -> Answer:
        """Answer a request's target, path and query, with a page."""
        with self._lock:
            if self._findings is None:
                return _plain(HTTPStatus.SERVICE_UNAVAILABLE, "Not yet", _NOT_YET)
            asked = _asked(target)
            page = self._page(self._findings, *asked) if asked else None
        return Answer(HTTPStatus.OK, page) if page else _nothing_there()

    def _page(self, findings: Findings, namespace: str, part: int) -> bytes | None:
        """A page, made when it is asked for first; None where there is none."""
        if self._rendered is None:
            self._rendered = _Rendered(entries_of(findings), {})
        rendered = self._rendered
        key = (namespace, part, self._is_old(findings))
        if key not in rendered.pages:
            page = self._render(findings, rendered.entries, namespace, part)
            if page is None:
                return None
            rendered.pages[key] = page.encode()
        return rendered.pages[key]

    def _render(
        self, findings: Findings, entries: tuple[Entry, ...], namespace: str, part: int
    ) -> Html | None:
        old = ""
        if self._is_old(findings):
            pause = duration(self._limit)
            old = f"This is old: no pass over the cluster has ended well for {pause} or longer."
        if not namespace:
            return front_page(entries, findings, old) if part == 1 else None
        found = by_namespace(entries).get(namespace, ())
        if not found or part > count_parts(len(found)):
            return None
        return namespace_page(namespace, found, part, findings.now, old)

    def _is_old(self, findings: Findings) -> bool:
        return self._clock() - findings.now.timestamp() > self._limit


def _asked(target: str) -> tuple[str, int] | None:
    """The namespace and the part of it that a target means, `("", 1)` for the front page."""
    try:
        path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
    except ValueError:
        return None
    if path == "/":
        return "", 1
    start, _, namespace = path.removeprefix("/").partition("/")
    part = query.get("part", ["1"])[-1]
    if start != NAMESPACES or not namespace or not (part.isascii() and part.isdigit()):
        return None
    # More digits than any part has; int() refuses very many with an error of its own.
    return (unquote(namespace), int(part)) if 0 < len(part.lstrip("0")) <= 6 else None  # noqa: PLR2004


def _nothing_there() -> Answer:
    told = "There is no such page: the workload's namespace has none, or is not watched."
    return _plain(HTTPStatus.NOT_FOUND, "Not found", told)


def _plain(status: HTTPStatus, title: str, told: str) -> Answer:
    return Answer(status, plain_page(title, told).encode())
