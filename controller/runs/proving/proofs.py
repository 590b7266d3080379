"""Jobs that verify or drill → what the last of them found, kept on the dump CronJob.

A Job that came to no verdict is no proof.
"""

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from controller.model.names import LAST_PROOF
from controller.model.objects import Json, Objects, name_of, recorded, uid_of
from controller.runs.causes.pod_causes import container_end, pods_newest_first
from controller.runs.job_status import end_of, ended_at
from controller.runs.proving.drills import verdict_of_drill
from controller.runs.proving.jobs import (
    finished_in,
    is_drill,
    is_scheduled_verification,
    jobs_with_open_proof,
)
from controller.runs.restorable import Grade
from dumpers.contract.drill.result import DrillResult
from dumpers.contract.restore.result import BackupResult
from dumpers.contract.verify.result import VerifyResult
from dumpers.runtime.errors import BackupDamagedError


def proof_annotations(
    cronjob: Json, jobs: Objects, pods: Mapping[str, Objects]
) -> Mapping[str, str]:
    """Return the annotation to write on a CronJob for a proof that it does not record yet.

    `jobs` are those that verify or drill its backups, `pods` go by Job uid. What only some proofs
    say, as of when how many backups there were, stays where a later one does not say it.
    """
    if not jobs:
        return {}
    known = finished_in(cronjob, LAST_PROOF)
    found = [
        proof
        for job in jobs_with_open_proof(cronjob, jobs)
        if (proof := _proof(job, pods.get(uid_of(job), ())))
    ]
    latest = max(found, key=_finished, default=None)
    if latest is None or latest["finished"] <= known:
        return {}
    told = latest | _counted([recorded(cronjob, LAST_PROOF) if known else {}, *found])
    return {LAST_PROOF: json.dumps(told, ensure_ascii=False, separators=(",", ":"))}


def _counted(proofs: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """How many backups there were and when the oldest began, by the last proof that said so."""
    said = [proof for proof in proofs if proof.get("oldest_backup") and proof.get("backups")]
    if not said:
        return {}
    last = max(said, key=_counted_at)
    return {
        "oldest_backup": last["oldest_backup"],
        "backups": last["backups"],
        "as_of": _counted_at(last),
    }


def _finished(proof: Mapping[str, Any]) -> str:
    return str(proof["finished"])


def _counted_at(proof: Mapping[str, Any]) -> str:
    return str(proof.get("as_of") or proof["finished"])


def _proof(job: Json, pods: Objects) -> dict[str, Any] | None:
    """What a Job found; None where its pod does not show a verdict."""
    read = _reader(job)
    for pod in pods_newest_first(pods):
        try:
            found = read(str((container_end(pod) or {}).get("message") or ""))
        except ValueError:
            continue
        if found:
            # The Job's own end: by it the next pass knows that this is recorded.
            return {"job": name_of(job), "finished": ended_at(job, end_of(job) or {}), **found}
    return None


def _reader(job: Json) -> Callable[[str], Mapping[str, Any] | None]:
    """What reads the termination messages of a Job: None without a verdict, ValueError if odd."""
    if is_drill(job):
        return _verdict_of_drill
    return _verdict_of_schedule if is_scheduled_verification(job) else _verdict


def _verdict(message: str) -> Mapping[str, Any] | None:
    """What a look at one backup found."""
    result = BackupResult.from_json(message)
    if not result.backup or not (result.succeeded or _is_damaged(result)):
        return None
    counts = {"oldest_backup": result.oldest_backup, "backups": result.backups}
    return {
        "backup": result.backup,
        "began": result.began,
        "good": result.succeeded,
        "grade": Grade.VERIFIED,
        **(counts if result.oldest_backup and result.backups else {}),
    }


def _verdict_of_schedule(message: str) -> Mapping[str, Any] | None:
    """What a look at several backups found; which of them are damaged is in its message alone."""
    result = VerifyResult.from_json(message)
    is_good = result.succeeded and bool(result.backups)
    if not (is_good or _is_damaged(result)):
        return None
    backup = result.backups[0] if is_good else ""
    return {"backup": backup, "good": is_good, "grade": Grade.VERIFIED}


def _verdict_of_drill(message: str) -> Mapping[str, Any] | None:
    """What a drill found; one that was not possible, or did not come so far, found nothing."""
    result = DrillResult.from_json(message)
    good = verdict_of_drill(result)
    if good is None:
        return None
    return {
        "backup": result.backup,
        "began": result.began,
        "good": good,
        "grade": Grade.DRILLED,
    }


def _is_damaged(result: BackupResult | VerifyResult) -> bool:
    return not result.succeeded and result.reason == BackupDamagedError.reason
