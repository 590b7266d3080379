"""Reading one object from a byte on, by HTTP and Python's own library; each call is one attempt.

A target is a secret, so no error shows its URL.
"""

import re
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPSHandler, ProxyHandler, Request, build_opener

from dumpers.runtime.errors import BackupDamagedError, KsnapshotError, StorageRefusedError
from dumpers.storage.errors import StoreAwayError

# Of a connection, and of each wait for its next bytes.
_SECONDS = 45.0
_PROBE_SECONDS = 10.0
_PARTIAL, _WHOLE = 206, 200
_AWAY = {408, 425, 429}
_FORBIDDEN, _BAD, _GONE, _BEHIND_THE_END, _SERVER_ERROR = {401, 403}, 400, 404, 416, 500
_MAX_BODY, _MAX_WORDS = 4096, 300
_CODE = re.compile(r"<Code>([^<]*)</Code>")
_MESSAGE = re.compile(r"<Message>([^<]*)</Message>")
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")
# What a store says of credentials of a short life, with a status that blames the request.
_EXPIRED = {"ExpiredToken", "TokenRefreshRequired", "RequestExpired"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an object can be read; URL and headers are secrets.

    `ca` is PEM text of the certificates to trust, empty for the usual ones. `is_local` leads
    through no proxy.
    """

    url: str = field(repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    ca: str = field(default="", repr=False)
    is_local: bool = False


class TargetRefusedByStoreError(StorageRefusedError):
    """The store does not take this URL, or not any more: a new one may do."""


class Answer:
    """The bytes of an object from some place on; `total` is the size of the whole object."""

    def __init__(self, response: HTTPResponse, *, total: int, etag: str) -> None:
        self._response = response
        self.total = total
        self.etag = etag

    def read(self, size: int) -> bytes:
        """Return what comes next, b"" where the connection ends; StoreAwayError if it breaks."""
        try:
            # Not `read`, which loses what has come when the connection breaks within the block.
            return self._response.read1(size)
        except (OSError, HTTPException, ValueError) as error:
            raise StoreAwayError(f"the connection broke: {_words(error)}") from error

    def close(self) -> None:
        """End the connection."""
        self._response.close()


def open_object(target: Target, key: str, *, start: int) -> Answer:
    """Ask for an object from a byte on.

    TargetRefusedByStoreError where another URL may help, StoreAwayError where waiting may,
    BackupDamagedError where the object is gone or ends before that byte, StorageRefusedError where
    what answers is no store.
    """
    response = _request(target, key, {"Range": f"bytes={start}-"}, _SECONDS)
    total = _total(response, start)
    if total is None:
        response.close()
        raise StorageRefusedError(
            f"the answer for {key} is not of the bytes that were asked for: see what stands "
            "between this machine and the store, such as a proxy or a login page"
        )
    return Answer(response, total=total, etag=str(response.headers.get("ETag", "")))


def why_unreachable(target: Target, key: str, *, size: int) -> str:
    """Why what answers at a target is no store that could be asked; empty where it is one."""
    try:
        response = _request(target, key, {"Range": "bytes=0-0"}, _PROBE_SECONDS)
    except _NoAnswerError as error:
        return str(error)
    except KsnapshotError:
        # It says no, or is in trouble, but it is there.
        return ""
    with response:
        is_store = _total(response, 0) == size
    return "" if is_store else "something else answers at its address"


def say_done(target: Target) -> bool:
    """Tell the job that sends a backup that all is fetched; False where it does not hear."""
    try:
        _request(target, "the end", {}, _PROBE_SECONDS, method="POST").close()
    except KsnapshotError:
        return False
    return True


class _NoAnswerError(StoreAwayError):
    """Nobody answers at all."""


def _request(
    target: Target, key: str, headers: Mapping[str, str], seconds: float, method: str = "GET"
) -> HTTPResponse:
    request = Request(target.url, headers={**target.headers, **headers}, method=method)  # noqa: S310  a store's
    try:
        response: HTTPResponse = _opener(target).open(request, timeout=seconds)
    except HTTPError as error:
        with error:
            raise _failure(key, error.code, _body(error), dict(error.headers)) from None
    except URLError as error:
        raise _NoAnswerError(f"no connection to the store: {_words(error.reason)}") from None
    except (OSError, HTTPException, ValueError) as error:
        raise _NoAnswerError(f"no answer of the store: {_words(error)}") from None
    return response


def _opener(target: Target) -> Any:
    handlers: list[Any] = [ProxyHandler({})] if target.is_local else []
    if target.ca:
        handlers.append(HTTPSHandler(context=ssl.create_default_context(cadata=target.ca)))
    return build_opener(*handlers)


def _total(response: HTTPResponse, start: int) -> int | None:
    """The size of the whole object; None where other bytes than those from `start` on come."""
    length = response.headers.get("Content-Length", "")
    if response.status == _WHOLE and start == 0 and length.isdecimal():
        return int(length)
    found = _RANGE.fullmatch(response.headers.get("Content-Range", ""))
    if response.status != _PARTIAL or found is None or int(found[1]) != start:
        return None
    return int(found[2])


def _failure(key: str, status: int, body: str, headers: Mapping[str, str]) -> KsnapshotError:
    code, message = _CODE.search(body), _MESSAGE.search(body)
    plain = "" if body.lstrip().startswith("<") else body
    said = ": ".join(found[1] for found in (code, message) if found) or plain or "no explanation"
    text = f"the store says {status} to a read of {key}: {said[:_MAX_WORDS]}"
    if status in _FORBIDDEN or (status == _BAD and code and code[1] in _EXPIRED):
        return TargetRefusedByStoreError(text)
    if status == _GONE:
        return BackupDamagedError(f"{key} is gone: the backup is not whole ({said[:_MAX_WORDS]})")
    if status == _BEHIND_THE_END:
        return BackupDamagedError(f"{key} ends before its size, as the manifest has it")
    if status in _AWAY or status >= _SERVER_ERROR:
        wait = str(headers.get("Retry-After", "")).strip()
        return StoreAwayError(text, retry_after=float(wait) if wait.isdecimal() else 0.0)
    return StorageRefusedError(text)


def _body(error: HTTPError) -> str:
    try:
        return error.read(_MAX_BODY).decode(errors="replace")
    except (OSError, HTTPException, ValueError):
        return ""


def _words(error: object) -> str:
    """What the system says; never the library's text, which may show a URL."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not trusted here: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    return type(error).__name__ if isinstance(error, Exception) else str(error)
