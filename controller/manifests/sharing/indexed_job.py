"""The fields of Jobs whose pods dump a shard each, and the variables of these pods."""

from typing import Any

from controller.manifests.storages.entries import plain_variable
from controller.model.objects import Json
from controller.workloads.sharing.asked import Spread
from dumpers.contract import names as variables

# Labels that the Job controller of every release puts on pods.
_JOB_LABEL, _UID_LABEL = "job-name", "controller-uid"
INDEXED = "Indexed"


def spread_fields(spread: Spread | None, retries: int) -> dict[str, Any]:
    """The fields of an Indexed Job, by their names; none without shards to spread.

    A shard is tried again by itself. One that failed for good ends the Job: without it there is no
    backup, and the others would be read in vain.
    """
    if spread is None:
        return {}
    return {
        "completionMode": INDEXED,
        "completions": spread.shards,
        "parallelism": spread.at_a_time,
        "backoffLimitPerIndex": retries,
        "maxFailedIndexes": 0,
    }


def backoff_limit(spread: Spread | None, retries: int) -> int:
    """How many pods may fail in all, which never ends a Job before a shard's own limit does."""
    return retries if spread is None else (retries + 1) * spread.shards


def share_variables(spread: Spread | None) -> list[Json]:
    """The variables by which a pod knows its run; which shard is its own, Kubernetes adds."""
    if spread is None:
        return []
    return [
        plain_variable(variables.SHARDS, str(spread.shards)),
        _from_label(variables.JOB, _JOB_LABEL),
        _from_label(variables.JOB_UID, _UID_LABEL),
    ]


def hostname_suffix(template: Json) -> int:
    """How many characters the hosts of a Job's pods add to the Job's name."""
    if template.get("completionMode") != INDEXED:
        return 0
    return 1 + len(str(int(template.get("completions") or 1) - 1))


def _from_label(name: str, label: str) -> Json:
    # With the version, as the API server would have it.
    field = {"apiVersion": "v1", "fieldPath": f"metadata.labels['{label}']"}
    return {"name": name, "valueFrom": {"fieldRef": field}}
