"""Counts the requests to the API server, for the metrics."""

from collections import Counter
from collections.abc import Callable, Mapping
from threading import Lock
from typing import TypeAlias

# Code, headers and body.
Answer: TypeAlias = tuple[int, Mapping[str, str], bytearray]

# Requests that got no answer.
NO_CODE = "none"
_VERBS: Mapping[str, str] = {"POST": "create", "PUT": "update", "DELETE": "delete"}


class CallCounts:
    """Requests by verb, as Kubernetes calls it, and by the code of the answer; for all threads."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, str]] = Counter()
        self._lock = Lock()

    def count(self, method: str, name: str, ask: Callable[[], Answer]) -> Answer:
        """Make one request, whose answer begins with its code, and count it, however it ends.

        `name` is empty for a list.
        """
        verb, code = _VERBS.get(method) or ("get" if name else "list"), NO_CODE
        try:
            answer = ask()
            code = str(answer[0])
            return answer
        finally:
            with self._lock:
                self._counts[verb, code] += 1

    def counted(self) -> Mapping[tuple[str, str], int]:
        """The counts so far, by verb and code."""
        with self._lock:
            return dict(self._counts)
