"""Which backups a key opens, by the headers that a Job has read; the key stays here."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from controller.client.cluster.workload_names import Workload
from controller.client.keys.age_tool import AgeTool
from dumpers.contract.fetch.age_header import stanza_kinds
from dumpers.runtime.errors import BackupDamagedError

_AT_A_TIME = 4
# Kinds of recipients to which keys of these kinds belong: `scrypt` is a passphrase.
_KNOWN = {"X25519", "ssh-ed25519", "ssh-rsa"}


class Verdict(StrEnum):
    """What a key is for the newest backup of a workload."""

    OPENS = "opens"
    OTHER = "does not open"
    CLEAR = "not encrypted"
    NONE = "no backup"
    UNREADABLE = "unreadable"
    ELSEWHERE = "not looked for"


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyRow:
    """One workload; `recipients` are those that the manifest names. What is not known is empty."""

    workload: str
    verdict: Verdict
    backup: str = ""
    began: str = ""
    recipients: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    why: str = ""

    def to_document(self) -> dict[str, Any]:
        """The row as JSON has it."""
        return {
            "workload": self.workload,
            "verdict": str(self.verdict),
            "backup": self.backup or None,
            "began": self.began or None,
            "recipients": list(self.recipients),
            "kinds": list(self.kinds),
            "why": self.why,
        }


def check_key(
    documents: Sequence[Mapping[str, Any]],
    workloads: Sequence[Workload],
    *,
    age: AgeTool,
    identity: str,
    elsewhere: Mapping[str, str] | None = None,
) -> list[KeyRow]:
    """The rows of all workloads, by name: those that are known, and those that left backups.

    `documents` are those of the dumpers' verb `headers`. `elsewhere` says of the workloads that do
    not write to the storage which was read where their backups go, by the workloads' keys.
    """
    by_cronjob = {item.cronjob_name: item.key for item in workloads if item.cronjob_name}

    def check(document: Mapping[str, Any]) -> KeyRow:
        name = str(document.get("workload") or by_cronjob.get(str(document.get("cronjob"))) or "")
        return _row(document, name or str(document.get("cronjob")), age, identity)

    with ThreadPoolExecutor(_AT_A_TIME) as pool:
        rows = list(pool.map(check, documents))
    seen = {str(document.get("cronjob")) for document in documents}
    rows += _without_records(workloads, seen, elsewhere or {})
    return sorted(rows, key=lambda row: row.workload)


def _without_records(
    workloads: Sequence[Workload], seen: set[str], elsewhere: Mapping[str, str]
) -> Iterator[KeyRow]:
    for workload in workloads:
        if workload.cronjob_name in seen:
            continue
        if others := elsewhere.get(workload.key):
            why = f"its backups go to {others}: name that by --storage"
            yield KeyRow(workload=workload.key, verdict=Verdict.ELSEWHERE, why=why)
        else:
            why = "" if workload.cronjob_name else "it has no CronJob: see `ksnapshot status`"
            yield KeyRow(workload=workload.key, verdict=Verdict.NONE, why=why)


def _row(document: Mapping[str, Any], workload: str, age: AgeTool, identity: str) -> KeyRow:
    """The row of one CronJob's newest backup."""
    recipients = document.get("recipients")
    facts: dict[str, Any] = {
        "workload": workload,
        "backup": str(document.get("backup") or ""),
        "began": str(document.get("began") or ""),
        "recipients": tuple(map(str, recipients or ())),
    }
    why, header = str(document.get("why") or ""), _header(document)
    if not facts["backup"]:
        return KeyRow(verdict=Verdict.NONE, why=why, **facts)
    if recipients is None:
        return KeyRow(verdict=Verdict.CLEAR, why=why, **facts)
    if not header:
        return KeyRow(verdict=Verdict.UNREADABLE, why=why or "its header did not arrive", **facts)
    kinds = stanza_kinds(header)
    facts |= {"kinds": kinds}
    if not _KNOWN & set(kinds):
        what = "a passphrase" if "scrypt" in kinds else ", ".join(kinds) or "nobody"
        why = f"it is encrypted for {what}, which no key file opens"
        return KeyRow(verdict=Verdict.OTHER, why=why, **facts)
    try:
        verdict = Verdict.OPENS if age.opens(header, identity) else Verdict.OTHER
    except BackupDamagedError as error:
        return KeyRow(verdict=Verdict.UNREADABLE, why=str(error), **facts)
    return KeyRow(verdict=verdict, why=why, **facts)


def _header(document: Mapping[str, Any]) -> bytes:
    try:
        return base64.b64decode(str(document.get("header") or ""), validate=True)
    except (binascii.Error, ValueError):
        return b""
