"""Writes a Statement from one run to the next: each is JSON as soon as it is known."""

import json
from collections.abc import Mapping
from typing import Any

from dumpers.contract.proof.envelope import PREDICATE_TYPE, STATEMENT_TYPE
from dumpers.repository.proof.histories import Piece


class StatementWriter:
    """Holds the JSON of what was added; between `begin` and `end` for one CronJob.

    `count` counts the runs that were added. They are kept in pieces, which `write` joins once: of
    ten thousand each copy has nine megabytes.
    """

    def __init__(self) -> None:
        self.count = 0
        self._subjects: list[bytes] = []
        self._workloads: list[bytes] = []
        self._open: list[tuple[bytes, bytes]] = []
        self._whose: dict[str, Any] = {}

    @property
    def workload(self) -> str:
        """The CronJob's workload, as far as it is known; empty where it is not."""
        return str(self._whose["workload"])

    def begin(self, *, cluster: str, cronjob: str) -> None:
        """Begin with a CronJob, of whose workload nothing is known yet."""
        self._open = []
        self._whose = {
            "workload": "",
            "cronjob": cronjob,
            "cluster": cluster,
            "engine": "",
            "older_runs": 0,
        }

    def add(self, piece: Piece) -> None:
        """Add runs of the CronJob; the workload is that of the newest which names one."""
        self._whose["older_runs"] += piece.older
        for item in piece.evidence:
            subject = {"name": item.subject, "digest": {"sha256": item.manifest}}
            known = _json(subject) if item.manifest else b""
            self._open.append((known, _json(item.to_document())))
            self._whose["workload"] = item.entry.workload or self._whose["workload"]
            self._whose["engine"] = item.entry.engine or self._whose["engine"]
        self.count += len(piece.evidence)

    def forget(self) -> None:
        """Leave this CronJob out."""
        self.count -= len(self._open)
        self._open, self._whose = [], {}

    def end(self) -> None:
        """Close the CronJob; one without any run is left out."""
        if self._open or self._whose.get("older_runs"):
            self._subjects += _separated([subject for subject, _ in self._open if subject])
            self._workloads += [_opened(self._whose, "backups")]
            self._workloads += _separated([document for _, document in self._open])[:-1]
            self._workloads += [b"]}", b","]
        self._open, self._whose = [], {}

    def write(self, told: Mapping[str, Any]) -> bytes:
        """The whole Statement; `told` are the members of its predicate besides the workloads.

        Nothing can be added, or written again, behind that.
        """
        kinds = {"_type": STATEMENT_TYPE, "predicateType": PREDICATE_TYPE}
        payload = b"".join(
            (
                _opened(kinds, "subject"),
                *self._subjects[:-1],
                b'],"predicate":',
                _opened(told, "workloads"),
                *self._workloads[:-1],
                b"]}}",
            )
        )
        self._subjects, self._workloads = [], []
        return payload


def _separated(items: list[bytes]) -> list[bytes]:
    """JSON documents, each with a comma behind it."""
    return [part for item in items for part in (item, b",")]


def _opened(members: Mapping[str, Any], name: str) -> bytes:
    """JSON of an object up to its last member, a list that begins."""
    return b"%s,%s:[" % (_json(members)[:-1], _json(name))


def _json(document: Any) -> bytes:
    """Compact JSON in ASCII: half a surrogate pair, which a message may hold, is an escape."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")
