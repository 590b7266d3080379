"""The Jobs that prove a backup: those that verify, and those that drill.

They name the CronJob whose backup it is in an annotation. They belong to no CronJob, or to the one
that does it by a schedule.
"""

from collections.abc import Iterable, Mapping

from controller.model import kinds, names
from controller.model.objects import (
    Json,
    Objects,
    annotations_of,
    labels_of,
    owner_references,
    recorded,
)
from controller.runs.due import seconds_of
from controller.runs.job_status import end_of, ended_at

_COMPONENTS = frozenset({names.VERIFY, names.DRILL})


def proofs_by_cronjob(jobs: Iterable[Json]) -> Mapping[str, Objects]:
    """The Jobs that verify or drill, by the name of the CronJob whose backup it is."""
    found: dict[str, list[Json]] = {}
    for job in jobs:
        if labels_of(job).get(names.COMPONENT_LABEL) in _COMPONENTS:
            found.setdefault(annotations_of(job).get(names.CRONJOB, ""), []).append(job)
    return {name: tuple(items) for name, items in found.items() if name}


def jobs_with_open_proof(cronjob: Json, jobs: Objects) -> Objects:
    """Select the Jobs that have ended since what a CronJob records of their kind."""
    known = {key: finished_in(cronjob, key) for key in _RECORDS}
    return tuple(
        job for job in jobs if (end := end_of(job)) and ended_at(job, end) > known[_record_of(job)]
    )


def is_drill(job: Json) -> bool:
    """Whether a Job drills a backup, by a schedule or because somebody asked for it."""
    return labels_of(job).get(names.COMPONENT_LABEL) == names.DRILL


def is_scheduled_verification(job: Json) -> bool:
    """Whether a Job is one of our CronJob's that verifies, and not of somebody's copy of it."""
    verifier = names.verify_cronjob_name(annotations_of(job).get(names.CRONJOB, ""))
    return not is_drill(job) and any(
        (owner.get("kind"), owner.get("name")) == (kinds.CRONJOB, verifier)
        for owner in owner_references(job)
    )


def finished_in(cronjob: Json, key: str) -> str:
    """When what is recorded ended; empty where it is no moment, as somebody may have edited it."""
    found = str(recorded(cronjob, key).get("finished", ""))
    return "" if seconds_of(found) is None else found


_RECORDS = (names.LAST_PROOF, names.LAST_VERIFY, names.LAST_DRILL)


def _record_of(job: Json) -> str:
    """Where the end of a Job is recorded: with `last-proof` only if it came to a verdict."""
    if is_drill(job):
        return names.LAST_DRILL
    return names.LAST_VERIFY if is_scheduled_verification(job) else names.LAST_PROOF
