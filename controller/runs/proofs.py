"""Jobs that verify a backup → what the last of them found, kept on the dump CronJob.

Those Jobs name the CronJob whose backup it is in an annotation. They belong to no CronJob, or to
the one that verifies by a schedule.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from controller.model import kinds
from controller.model.names import (
    COMPONENT_LABEL,
    CRONJOB,
    LAST_PROOF,
    LAST_VERIFY,
    VERIFY,
    verify_cronjob_name,
)
from controller.model.objects import (
    Json,
    Objects,
    annotations_of,
    labels_of,
    name_of,
    owner_references,
    recorded,
    uid_of,
)
from controller.runs.causes.pod_causes import container_end, pods_newest_first
from controller.runs.due import seconds_of
from controller.runs.job_status import end_of, ended_at
from dumpers.contract.restore.result import BackupResult
from dumpers.contract.verify.result import VerifyResult
from dumpers.runtime.errors import BackupDamagedError


def proofs_by_cronjob(jobs: Iterable[Json]) -> Mapping[str, Objects]:
    """The Jobs that verify, by the name of the CronJob whose backup it is."""
    found: dict[str, list[Json]] = {}
    for job in jobs:
        if labels_of(job).get(COMPONENT_LABEL) == VERIFY:
            found.setdefault(annotations_of(job).get(CRONJOB, ""), []).append(job)
    return {name: tuple(items) for name, items in found.items() if name}


def jobs_with_open_proof(cronjob: Json, jobs: Objects) -> Objects:
    """Select the Jobs that have ended since what a CronJob records of them."""
    proof, scheduled = _finished(cronjob, LAST_PROOF), _finished(cronjob, LAST_VERIFY)
    return tuple(
        job
        for job in jobs
        if (end := end_of(job))
        # How a run by schedule ended is recorded whether it came to a verdict or not.
        and ended_at(job, end) > (scheduled if is_scheduled(job) else proof)
    )


def is_scheduled(job: Json) -> bool:
    """Whether a Job that verifies is one of our CronJob's for that, and not of somebody's copy."""
    verifier = verify_cronjob_name(annotations_of(job).get(CRONJOB, ""))
    return any(
        (owner.get("kind"), owner.get("name")) == (kinds.CRONJOB, verifier)
        for owner in owner_references(job)
    )


def proof_annotations(
    cronjob: Json, jobs: Objects, pods: Mapping[str, Objects]
) -> Mapping[str, str]:
    """Return the annotation to write on a CronJob for a proof that it does not record yet.

    `jobs` are those that verify its backups, `pods` go by Job uid. A verification that came to no
    verdict is no proof.
    """
    if not jobs:
        return {}
    known = _finished(cronjob, LAST_PROOF)
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
    read = _verdict_of_schedule if is_scheduled(job) else _verdict
    for pod in pods_newest_first(pods):
        try:
            found = read(str((container_end(pod) or {}).get("message") or ""))
        except ValueError:
            continue
        if found:
            # The Job's own end: by it the next pass knows that this is recorded.
            return {"job": name_of(job), "finished": ended_at(job, end_of(job) or {}), **found}
    return None


def _verdict(message: str) -> Mapping[str, Any] | None:
    """What a look at one backup found; None without a verdict, ValueError if it says nothing."""
    result = BackupResult.from_json(message)
    if not result.backup or not (result.succeeded or _is_damaged(result)):
        return None
    return {
        "backup": result.backup,
        "began": result.began,
        "good": result.succeeded,
        "oldest_backup": result.oldest_backup,
        "backups": result.backups,
    }


def _verdict_of_schedule(message: str) -> Mapping[str, Any] | None:
    """What a look at several backups found; which of them are damaged is in its message alone."""
    result = VerifyResult.from_json(message)
    is_good = result.succeeded and bool(result.backups)
    if not (is_good or _is_damaged(result)):
        return None
    return {"backup": result.backups[0] if is_good else "", "good": is_good}


def _is_damaged(result: BackupResult | VerifyResult) -> bool:
    return not result.succeeded and result.reason == BackupDamagedError.reason


def _finished(cronjob: Json, key: str) -> str:
    """When what is recorded ended; empty where it is no moment, as somebody may have edited it."""
    found = str(recorded(cronjob, key).get("finished", ""))
    return "" if seconds_of(found) is None else found
