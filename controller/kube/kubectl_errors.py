"""Turns what kubectl says when it fails into the KubeError that it stands for."""

import re

from controller.kube.client import (
    ConflictError,
    ForbiddenError,
    KubeError,
    NotFoundError,
    RefusedError,
    UnavailableError,
)

_MAX_TEXT = 500
_SERVER = re.compile(r"Error from server \((?P<reason>\w+)\): (?P<text>.*)", re.DOTALL)
_INVALID = re.compile(r"The .* is invalid:|The request is invalid")
# kubectl's own log lines, and warnings of the API server, stand beside the error.
_BESIDE = re.compile(r"(Warning: |[IWEF][0-9]{4} [0-9:.]+ )")
_ONE_OBJECT = re.compile(r'".+" not found')
_CLASSES: dict[str, type[KubeError]] = {
    "Forbidden": ForbiddenError,
    "AlreadyExists": ConflictError,
    "Conflict": ConflictError,
    "BadRequest": RefusedError,
    "Invalid": RefusedError,
    "MethodNotAllowed": RefusedError,
}
# What people can do about an error that is their machine's and not the cluster's.
_LOCAL = (
    (
        re.compile(r"current-context must exist|no configuration has been provided|localhost:8080"),
        (
            "kubectl has no current context: choose one by `kubectl config use-context NAME`,"
            " --context or KUBECONFIG"
        ),
    ),
    (
        re.compile(r"context \".*\" does not exist"),
        "the kubeconfig has no such context: `kubectl config get-contexts` lists them",
    ),
    (
        re.compile(r"\(Unauthorized\)|must be logged in|token (has|is) expired|refresh token"),
        (
            "the cluster does not accept your login, or it has expired: log in again, so that"
            " `kubectl auth whoami` works"
        ),
    ),
    (
        re.compile(r"getting credentials|exec plugin|executable .* (not found|failed)"),
        "the login program of your kubeconfig failed",
    ),
)


def error_of(call: str, said: str, *, hide: bool = False) -> KubeError:
    """Return the error for what kubectl wrote to stderr.

    `call` says what was tried. `hide` leaves the server's own words out, as they may repeat what a
    Secret holds. Whatever is not certain is an UnavailableError.
    """
    text = " ".join(
        line.strip() for line in said.splitlines() if line.strip() and not _BESIDE.match(line)
    )[:_MAX_TEXT]
    for pattern, sentence in _LOCAL:
        if pattern.search(text):
            return UnavailableError(f"{sentence} ({_plain(text)})")
    if found := _SERVER.match(text):
        reason, words = found["reason"], found["text"]
        shown = reason if hide else words
        if reason == "NotFound":
            # Of an API that is not there the server says no object's name.
            kind = NotFoundError if _ONE_OBJECT.search(words) else UnavailableError
            return kind(f"{call}: {shown}")
        return _CLASSES.get(reason, UnavailableError)(f"{call}: {shown}")
    if _INVALID.match(text):
        return RefusedError(f"{call}: {'Invalid' if hide else text}")
    return UnavailableError(f"{call}: {_plain(text) or 'kubectl failed and said nothing'}")


def _plain(text: str) -> str:
    return text.removeprefix("error: ").removeprefix("Error: ")
