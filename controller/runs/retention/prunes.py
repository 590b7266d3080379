"""Jobs that prune → how they ended, and when the next one must have.

They belong to no workload. Kubernetes keeps the last of them that were good and the last that were
not, and so nothing is recorded elsewhere.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from controller.model import names
from controller.model.objects import (
    Json,
    Objects,
    annotations_of,
    created_at,
    labels_of,
    name_of,
    uid_of,
)
from controller.runs.causes.job_end import JobEnd, job_end
from controller.runs.due import Expectation, due, seconds_of
from controller.settings.settings import Settings
from dumpers.contract.retention.result import PruneResult
from dumpers.contract.storages.named_storage import MAIN

PRUNE = "prune"
# How one prune ended.
PastPrune = JobEnd[PruneResult]

# Of the first Job, as long as there is none that says it: the chart's own default.
_FIRST_ALLOWANCE = 21600
_FIGURES = (
    "seconds",
    "workloads",
    "kept",
    "deleted",
    "freed_bytes",
    "held_back",
    "shrunk",
    "left",
    "swept",
    "held_back_cronjobs",
    "shrunk_cronjobs",
    "failed_cronjobs",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Prunes:
    """The prunes that are known: the last one, the last good one, and those that ended just now.

    `good` are the last good ones of all storages. `since` is when the first of their Jobs was made,
    in RFC 3339; `allowance` how many seconds the last one was given. Of a storage without any Job
    both count from when its CronJob was made, or last did well; from `watched_since`, when this
    process first looked, where that is not known. `is_known` is false where
    nobody could look yet.
    """

    last: PastPrune | None = None
    last_success: PastPrune | None = None
    good: tuple[PastPrune, ...] = ()
    new: tuple[PastPrune, ...] = ()
    since: str = ""
    allowance: int = 0
    watched_since: str = ""
    is_known: bool = True

    def document(self) -> dict[str, Any] | None:
        """What the status says of them; None where there was none."""
        if self.last is None:
            return None
        success = self.last_success.finished if self.last_success else ""
        return {**_document(self.last), "last_success": success}


def is_prune(job: Json, settings: Settings) -> bool:
    """Whether a Job prunes for this install; metadata alone are enough to say."""
    is_ours = annotations_of(job).get(names.INSTANCE) == settings.instance
    return is_ours and labels_of(job).get(names.COMPONENT_LABEL) == PRUNE


def is_rehearsal(job: Json) -> bool:
    """Whether a Job only says what it would delete."""
    return annotations_of(job).get(names.DRY_RUN) == "true"


def past_prune(job: Json, pods: Objects) -> PastPrune:
    """How a Job ended that has ended; by its own word, else by what Kubernetes shows."""
    return job_end(job, pods, PruneResult.from_json)


def storage_of(job: Json) -> str:
    """The storage that a Job prunes."""
    return annotations_of(job).get(names.STORAGE, MAIN)


def idle_storages(
    storages: Iterable[str], jobs: Iterable[Json], cronjobs: Iterable[Json], settings: Settings
) -> Mapping[str, str]:
    """Since when those of `storages` should have a Job that have none; empty where nobody knows.

    `cronjobs` are those that prune, whose install their Jobs' template names.
    """
    begun: dict[str, str] = {}
    for cronjob in cronjobs:
        template = (cronjob.get("spec") or {}).get("jobTemplate") or {}
        if is_prune(template, settings):
            good = (cronjob.get("status") or {}).get("lastSuccessfulTime")
            begun[storage_of(template)] = str(good or created_at(cronjob))
    seen = set(map(storage_of, jobs))
    return {name: begun.get(name, "") for name in storages if name not in seen}


def prunes_of(
    jobs: Iterable[Json],
    ended: Mapping[str, PastPrune],
    new: Iterable[str],
    *,
    idle: Iterable[str] = (),
    watched_since: str = "",
) -> Prunes:
    """Put together what is known; `ended` goes by Job uid, `new` are uids of those.

    `idle` says of each storage that is to be pruned and has no Job at all, such as where its
    CronJob is suspended or a quota is used up, since when it should have one.

    Where several storages are pruned, `last` and `last_success` are of the one for which it is
    worst: the newest prune of any that failed, and the last good one that is the longest ago.
    """
    by_storage: dict[str, list[Json]] = defaultdict(list)
    for job in jobs:
        by_storage[storage_of(job)].append(job)
    each = [_prunes_of_one(listed, ended) for _, listed in sorted(by_storage.items())]
    each += [Prunes(since=since, allowance=_FIRST_ALLOWANCE) for since in idle]
    told = tuple(ended[uid] for uid in new)
    if not each:
        return Prunes(new=told, watched_since=watched_since)
    lasts = [item.last for item in each if item.last]
    failed = [last for last in lasts if not last.succeeded]
    behind = min(each, key=_covered_until)
    return replace(
        behind,
        last=max(failed or lasts, key=lambda item: (item.finished, item.job), default=None),
        good=tuple(item.last_success for item in each if item.last_success),
        new=told,
        watched_since=watched_since,
    )


def _covered_until(prunes: Prunes) -> str:
    """The end of the last good prune; without one, when the first Job was made."""
    return prunes.last_success.finished if prunes.last_success else prunes.since


def _prunes_of_one(jobs: Sequence[Json], ended: Mapping[str, PastPrune]) -> Prunes:
    """Put together what is known of one storage's Jobs, of which there is at least one."""
    past = (ended[uid] for job in jobs if (uid := uid_of(job)) in ended)
    in_order = sorted(past, key=lambda item: (item.finished, item.job))
    good = [item for item in in_order if item.succeeded]
    newest = max(jobs, key=lambda job: (created_at(job), name_of(job)))
    return Prunes(
        last=in_order[-1] if in_order else None,
        last_success=good[-1] if good else None,
        since=min(map(created_at, jobs)),
        allowance=int((newest.get("spec") or {}).get("activeDeadlineSeconds") or 0),
    )


def prune_due(prunes: Prunes, settings: Settings, slack: int) -> int | None:
    """When the next good prune must have ended, in seconds since the epoch.

    None where there is no CronJob of it, or nobody could look yet.
    """
    since = seconds_of(prunes.last_success.finished if prunes.last_success else prunes.since)
    if not settings.prune_enabled or since is None:
        return None
    return due(
        Expectation(
            schedule=settings.prune_schedule,
            zone=settings.prune_time_zone,
            since=since,
            anchor=since,
            allowance=prunes.allowance + slack,
        )
    )


def _document(prune: PastPrune) -> dict[str, Any]:
    """A prune as JSON, for the status ConfigMap; figures that are not known are left out."""
    told = json.loads(prune.result.to_json()) if prune.result else {}
    figures = {key: told[key] for key in _FIGURES if key in told}
    return {
        "job": prune.job,
        "finished": prune.finished,
        "outcome": "succeeded" if prune.succeeded else "failed",
        "reason": prune.reason,
        "message": prune.message,
        **figures,
    }
