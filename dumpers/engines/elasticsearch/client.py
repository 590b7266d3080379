"""Talking to Elasticsearch and OpenSearch over HTTP: answers as JSON, patience, errors by kind."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import quote

from dumpers.runtime.errors import ErrorClasses, KsnapshotError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.http import Answer, Http

_OK = frozenset((200, 201))
# How a server says that it has no such API, or takes its path for the name of an index.
_NOT_THERE = frozenset((400, 404, 405, 410))
_NO_API_TYPES = frozenset(
    ("invalid_index_name_exception", "index_not_found_exception", "api_not_available_exception")
)
# Old releases answer an unknown path with plain words instead of an object with a type, and so do
# services that have an API and keep it for themselves.
_NO_API_WORDS = ("no handler found for uri", "Incorrect HTTP method for uri", "Request for uri [")
_KEPT_BACK = b'{"Message":"Your request:'
_BUSY = frozenset((429, 502, 503, 504))
# What a busy server also says with other statuses, depending on its release.
_BUSY_TYPES = frozenset(("circuit_breaking_exception", "es_rejected_execution_exception"))
# More search contexts than a node may hold: others have them, and will give them back.
_TOO_MANY = "Trying to create too many"
_FORBIDDEN = 403
_LOGIN = frozenset((401, _FORBIDDEN))
_SERVER_ERROR = 500
_LOST = "search_context_missing_exception"
_BLOCKED = "cluster_block_exception"
_FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_WAIT = 0.5, 30.0, 600.0
_TEXT_MAX = 500
_BLANKS = 100
_CLEAN_UP_SECONDS = 10.0

BytesT = TypeVar("BytesT", bytes, bytearray)


class BusyError(Exception):
    """The server has too much to do for this request: less of it, or later; its own words."""


class DeniedError(Exception):
    """The account lacks the right for this request."""


class LostError(Exception):
    """A search context is gone: it expired, or its node did; the server's own words."""


@dataclass(slots=True, kw_only=True)
class Patience:
    """Waits for a busy server, longer each time, for ten minutes in all."""

    interrupt: Interrupt
    _pause: float = _FIRST_PAUSE
    _waited: float = 0.0

    def wait(self) -> bool:
        """Let time pass before the next try; False once ten minutes have passed."""
        if self._waited >= _LONGEST_WAIT:
            return False
        self.interrupt.sleep(self._pause)
        self._waited += self._pause
        self._pause = min(_LONGEST_PAUSE, self._pause * 2)
        return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A cluster, by whichever of its nodes answers.

    `hint` ends the message of a login that is refused, where the login itself looks wrong.
    """

    http: Http = field(repr=False)
    errors: ErrorClasses
    hint: str = ""

    @property
    def where(self) -> str:
        """Host and port."""
        return self.http.where

    def ask(
        self,
        method: str,
        path: str,
        *,
        interrupt: Interrupt,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> bytes:
        """The body of a good answer, waiting for a busy server.

        What is asked must do no harm when asked twice. Raises the side's error with the server's
        own words.
        """
        patience = Patience(interrupt=interrupt)
        while True:
            try:
                return self.once(method, path, interrupt=interrupt, query=query, body=body)
            except LostError as error:
                raise self.errors.failed(f"{self.where}: {error}") from error
            except BusyError as error:
                if not patience.wait():
                    raise self.errors.failed(
                        f"{self.where} has been too busy to answer for ten minutes: {error}"
                    ) from error

    def json(self, method: str, path: str, *, interrupt: Interrupt, **more: Any) -> Any:
        """Return the answer of `ask`, parsed."""
        return self.parsed(self.ask(method, path, interrupt=interrupt, **more))

    def parsed(self, body: bytes) -> Any:
        """A body as JSON; the side's error where it is none."""
        try:
            return json.loads(body)
        except ValueError as error:
            raise self._not_json(body) from error

    def if_there(self, path: str, *, interrupt: Interrupt) -> bytes | None:
        """Return the answer to a GET; None if the server has no such API.

        An empty list that comes with status 404, as some do, is an answer. Raises DeniedError where
        only this account may not ask.
        """
        patience = Patience(interrupt=interrupt)
        while True:
            answer, body = self.http.whole("GET", path, interrupt=interrupt)
            kept_back = answer.status in _LOGIN and body.startswith(_KEPT_BACK)
            if answer.status == _FORBIDDEN or kept_back:
                raise DeniedError
            if answer.status in _NOT_THERE:
                found = self._object(body)
                if found is not None and "error" not in found:
                    return body
                kind, words = self._read_error(body)
                if kind in _NO_API_TYPES or words.startswith(_NO_API_WORDS):
                    return None
            try:
                return self.check_answer(answer, body)
            except BusyError as error:
                if not patience.wait():
                    raise self.errors.failed(f"{self.where}: {error}") from error

    def if_granted(self, path: str, interrupt: Interrupt) -> bytes | None:
        """Return the answer to a GET that is only good to know; None if the server refuses it."""
        try:
            return self.if_there(path, interrupt=interrupt)
        except (DeniedError, self.errors.refused):
            return None

    def once(
        self,
        method: str,
        path: str,
        *,
        interrupt: Interrupt,
        query: Mapping[str, str] | None = None,
        body: bytes = b"",
    ) -> bytes:
        """The body of a good answer, asked for once; BusyError, LostError, the side's errors."""
        answer, said = self.http.whole(method, path, query=query, body=body, interrupt=interrupt)
        return self.check_answer(answer, said)

    def check_answer(self, answer: Answer, body: BytesT) -> BytesT:
        """Return a good answer's body; raise LostError, BusyError or one of `errors` for others."""
        if answer.status in _OK:
            if not body[:_BLANKS].lstrip().startswith((b"{", b"[")):
                raise self._not_json(body)
            return body
        kind, words = self._read_error(body)
        text = f"{self.where} answers with status {answer.status}: {words}"
        if kind == _LOST:
            raise LostError(words)
        if answer.status in _BUSY or kind in _BUSY_TYPES or _TOO_MANY in words:
            raise BusyError(words)
        if kind == _BLOCKED:
            raise self.errors.refused(f"{text} Take the block away, or leave the index out")
        if answer.status in _LOGIN:
            hint = "" if answer.status == _FORBIDDEN else self.hint
            raise self.errors.refused(f"{text}: see to the login and its rights{hint}")
        if answer.status >= _SERVER_ERROR or kind == "index_not_found_exception":
            raise self.errors.failed(text)
        raise self.errors.refused(text)

    def forget(self, method: str, path: str, body: bytes) -> None:
        """Ask for something at the end, come what may: nothing depends on its answer."""
        own = Interrupt(_CLEAN_UP_SECONDS, work="clean-up", is_part=True)
        try:
            self.http.whole(method, path, body=body, interrupt=own)
        except KsnapshotError:
            return

    def _read_error(self, body: bytes | bytearray) -> tuple[str, str]:
        """The type of an error's first cause, empty if there is none, and its message."""
        found = self._object(body)
        error = found.get("error") if found is not None else None
        if not isinstance(error, Mapping):
            plain = " ".join((error or body.decode("utf-8", "replace")).split())
            return "", plain[:_TEXT_MAX] or "no explanation"
        causes = error.get("root_cause") or [error]
        cause = causes[0] if isinstance(causes[0], Mapping) else error
        kind = str(cause.get("type", ""))
        return kind, f"{kind}: {cause.get('reason', '')}"[:_TEXT_MAX]

    @staticmethod
    def _object(body: bytes | bytearray) -> Mapping[str, Any] | None:
        try:
            found = json.loads(body)
        except ValueError:
            return None
        return found if isinstance(found, Mapping) else None

    def _not_json(self, body: bytes | bytearray) -> KsnapshotError:
        begun = " ".join(body[:200].decode("utf-8", "replace").split())
        return self.errors.failed(
            f"{self.where} does not answer as Elasticsearch or OpenSearch does, with JSON: is "
            f"there a proxy, or another server? It says: {begun[:100]}"
        )


def path_of(*names: str) -> str:
    """Join names to a path, quoting characters that have a meaning in a URL."""
    return "".join(f"/{quote(name, safe='')}" for name in names)
