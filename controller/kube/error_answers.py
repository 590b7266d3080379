"""Turns an error answer of the API server into the KubeError that it stands for.

The texts say which call failed and why, and never hold the content of an object.
"""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec

from controller.kube.client import (
    ConflictError,
    Document,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

_MAX_TEXT = 500
_parse = msgspec.json.Decoder(Document).decode


class ExpiredError(KubeError):
    """The list's continue token is too old (410)."""


def error_of(
    call: str, name: str, status: int, headers: Mapping[str, str], body: bytearray
) -> KubeError:
    """Return the error for an answer from 300 on.

    `call` is the method and path, `name` the object's, empty for a list. Whatever is not certain
    is an UnavailableError.
    """
    answer = _status_object(body)
    details = answer.get("details")
    if not isinstance(details, dict):
        details = {}
    text = f"{call}: {status} {answer.get('reason', '')}".rstrip()
    # Only the API server's own word on this very object counts: a proxy's 404, or that of an
    # API group that is away, is no proof that the object does not exist.
    if status == HTTPStatus.NOT_FOUND and answer.get("reason") == "NotFound":
        if name and details.get("name") == name:
            return NotFoundError(text)
    elif status == HTTPStatus.FORBIDDEN:
        return ForbiddenError(text + _why_forbidden(call, answer))
    elif status == HTTPStatus.CONFLICT:
        return ConflictError(text)
    elif status == HTTPStatus.GONE:
        return ExpiredError(text)
    elif status in {HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY}:
        return RefusedError(f"{text}: {_causes(details)}")
    return UnavailableError(text, _retry_after(headers, details))


def _status_object(body: bytearray) -> Document:
    """Parse the answer's Status object, empty where the body is none."""
    try:
        document = _parse(body)
    except (ValueError, RecursionError):
        return {}
    return document if document.get("kind") == "Status" else {}


def _why_forbidden(call: str, answer: Document) -> str:
    """Which right, quota or policy stands in the way of a write.

    Empty for Secrets, as a policy about them may show what it refused, and for reads.
    """
    if call.startswith("GET") or "/secrets" in call:
        return ""
    return f": {answer.get('message', '')}"[:_MAX_TEXT]


def _causes(details: Mapping[str, Any]) -> str:
    """Which fields were refused and why; a Secret's values are never among its causes' texts."""
    causes = details.get("causes")
    shown = (
        f"{cause.get('field', '')}: {cause.get('message', '')}"
        for cause in (causes if isinstance(causes, list) else ())
        if isinstance(cause, dict)
    )
    return "; ".join(shown)[:_MAX_TEXT] or "no cause was given"


def _retry_after(headers: Mapping[str, str], details: Mapping[str, Any]) -> float | None:
    """How many seconds the server asks to wait, None if it does not, or not readably."""
    asked = headers.get("Retry-After") or details.get("retryAfterSeconds")
    try:
        return max(0.0, float(asked)) if asked else None
    except (TypeError, ValueError):
        return None
