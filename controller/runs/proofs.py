"""Jobs that verify a backup → what the last of them found, kept on the dump CronJob.

Those Jobs belong to no CronJob, and name the one whose backup it is in an annotation.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from controller.model.names import COMPONENT_LABEL, CRONJOB, LAST_PROOF
from controller.model.objects import (
    Json,
    Objects,
    annotations_of,
    labels_of,
    name_of,
    recorded,
    uid_of,
)
from controller.runs.causes.pod_causes import container_end, pods_newest_first
from controller.runs.job_status import end_of, ended_at
from dumpers.contract.restore.result import BackupResult
from dumpers.runtime.errors import BackupDamagedError

VERIFY = "verify"


def proofs_by_cronjob(jobs: Iterable[Json]) -> Mapping[str, Objects]:
    """The Jobs that verify, by the name of the CronJob whose backup it is."""
    found: dict[str, list[Json]] = {}
    for job in jobs:
        if labels_of(job).get(COMPONENT_LABEL) == VERIFY:
            found.setdefault(annotations_of(job).get(CRONJOB, ""), []).append(job)
    return {name: tuple(items) for name, items in found.items() if name}


def jobs_with_open_proof(cronjob: Json, jobs: Objects) -> Objects:
    """Select the Jobs that have ended since the proof that a CronJob records."""
    known = str(recorded(cronjob, LAST_PROOF).get("finished", ""))
    return tuple(job for job in jobs if (end := end_of(job)) and ended_at(job, end) > known)


def proof_annotations(
    cronjob: Json, jobs: Objects, pods: Mapping[str, Objects]
) -> Mapping[str, str]:
    """Return the annotation to write on a CronJob for a proof that it does not record yet.

    `jobs` are those that verify its backups, `pods` go by Job uid. A verification that came to no
    verdict is no proof.
    """
    if not jobs:
        return {}
    known = str(recorded(cronjob, LAST_PROOF).get("finished", ""))
    found = [
        proof
        for job in jobs_with_open_proof(cronjob, jobs)
        if (proof := _proof(job, pods.get(uid_of(job), ())))
    ]
    latest = max(found, key=lambda proof: str(proof["finished"]), default=None)
    if latest is None or latest["finished"] <= known:
        return {}
    return {LAST_PROOF: json.dumps(latest, ensure_ascii=False, separators=(",", ":"))}


def _proof(job: Json, pods: Objects) -> Mapping[str, Any] | None:
    """What a verification found; None where its pod does not show a verdict."""
    end = end_of(job) or {}
    for pod in pods_newest_first(pods):
        try:
            result = BackupResult.from_json(str((container_end(pod) or {}).get("message") or ""))
        except ValueError:
            continue
        if result.backup and (result.succeeded or result.reason == BackupDamagedError.reason):
            return {
                "job": name_of(job),
                # The Job's own end: by it the next pass knows that this is recorded.
                "finished": ended_at(job, end),
                "backup": result.backup,
                "began": result.began,
                "good": result.succeeded,
                "oldest_backup": result.oldest_backup,
                "backups": result.backups,
            }
    return None
