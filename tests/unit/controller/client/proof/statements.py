"""Statements as a Job makes them, of whatever backups."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from dumpers.contract.proof.envelope import (
    PREDICATE_TYPE,
    STATEMENT_TYPE,
    Signature,
    SignedStatement,
)
from dumpers.repository.catalogue import rfc3339

Json = dict[str, Any]
UNTIL = datetime(2026, 3, 1, 12, tzinfo=UTC)
FAILED_DRILL = {"when": rfc3339(UNTIL), "good": False}
SIGNATURE = Signature(key_id="c0ffee", value=b"s" * 64)


def finding(kind: str, *, good: bool | None = True, **facts: Any) -> Json:
    return {
        "kind": kind,
        "good": good,
        "when": rfc3339(UNTIL),
        "record": "r",
        "sha256": "0",
        **facts,
    }


def backup(days: float, grade: str, *proofs: Json, **members: Any) -> Json:
    """A good backup that began so many days before the end of the period."""
    began = UNTIL - timedelta(days=days)
    return {
        "id": f"d{days:g}",
        "state": "complete",
        "started": rfc3339(began),
        "finished": rfc3339(began + timedelta(minutes=5)),
        "engine": "postgresql",
        "server_version": "17",
        "source_bytes": 10,
        "stored_bytes": 5 << 20,
        "objects": 1,
        "encrypted": True,
        "notes": [],
        "pinned": False,
        "drill": None,
        "manifest": f"ksnapshot/d{days:g}/manifest.json",
        "grade": grade,
        "proofs": list(proofs),
        **members,
    }


def workload(name: str, backups: Sequence[Json], older: int = 0) -> Json:
    return {
        "workload": name,
        "cronjob": f"cj-{name.replace('/', '-')}",
        "cluster": "prod",
        "engine": "postgresql",
        "older_runs": older,
        "backups": list(backups),
    }


def signed(
    workloads: Sequence[Json], signatures: Sequence[Signature] = (), **told: Any
) -> SignedStatement:
    subjects = [
        {"name": item["manifest"], "digest": {"sha256": "0" * 64}}
        for each in workloads
        for item in each["backups"]
        if item["manifest"]
    ]
    statement = {
        "_type": STATEMENT_TYPE,
        "subject": subjects,
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "by": {"name": "ksnapshot", "version": "0.8.0"},
            "requested_by": "ada",
            "bucket": "my-backups",
            "cluster": "prod",
            "cronjob": "",
            "namespace": "",
            "since": rfc3339(UNTIL - timedelta(days=90)),
            "until": rfc3339(UNTIL),
            "workloads": list(workloads),
            **told,
        },
    }
    return SignedStatement(payload=json.dumps(statement).encode(), signatures=signatures)
