"""Records of drills, in full."""

import json
from typing import Any

from dumpers.repository.record_json import digest

_TABLE = {"name": "public.a", "rows": 3, "good": True}


def drill(run: str = "r1", *, good: bool = True, **changes: Any) -> bytes:
    """The record of a drill; one that failed has a second table, which differs."""
    document: dict[str, Any] = {
        "format": 1,
        "record": "drilled" if good else "drill-failed",
        "run": run,
        "started": "2026-01-02T04:00:00Z",
        "finished": "2026-01-02T04:04:05Z",
        "by": "",
        "engine": "postgresql",
        "server_version": "17.2",
        "image": "postgres:17",
        "reason": "Succeeded" if good else "DrillFailed",
        "message": "" if good else "1 of 2 tables differs",
        "method": "digests",
        "tables": [_TABLE] if good else [_TABLE, {**_TABLE, "good": False, "why": "rows differ"}],
        "faults": [],
        "unproved": ["grants"],
        "source_bytes": 100,
        "age_seconds": 3600.0,
        "start_seconds": 2.0,
        "restore_seconds": 41.5,
        "compare_seconds": 7.0,
        "good": good,
        **changes,
    }
    return json.dumps(document | {"digest": digest(document)}).encode()
