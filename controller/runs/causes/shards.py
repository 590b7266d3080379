"""Pods that have a shard of a run each: which one ended it, and which one failed it."""

from collections.abc import Iterable, Sequence

from controller.model.objects import Json, annotations_of
from dumpers.contract.result import PART, DumpResult

_INDEX = "batch.kubernetes.io/job-completion-index"


def shard_of(pod: Json) -> int | None:
    """The shard of a pod, from 1; None where one pod does it all."""
    index = annotations_of(pod).get(_INDEX, "")
    return int(index) + 1 if index.isdecimal() else None


def is_part(result: DumpResult | None) -> bool:
    """Whether a pod stored its shard only, so that the backup is for another pod to make."""
    return result is not None and result.outcome == PART


def is_part_message(message: str) -> bool:
    """As `is_part`, by a pod's termination message, which may be that of any Job."""
    try:
        return is_part(DumpResult.from_json(message))
    except ValueError:
        return False


def named_by_shard(result: DumpResult, pod: Json) -> str:
    """The message of a pod's failure, with its shard's name before it."""
    shard = shard_of(pod)
    if shard is None or result.message.startswith(f"shard {shard} "):
        return result.message
    return f"shard {shard}: {result.message}" if result.message else f"shard {shard}"


def failed_shards_first(job: Json, pods: Sequence[Json]) -> list[Json]:
    """The pods, newest first, with those before all others whose shard failed for good.

    The pods of other shards end because of that, and say no more than that they were stopped.
    """
    failed = set(_numbers(str((job.get("status") or {}).get("failedIndexes") or "")))
    return sorted(pods, key=lambda pod: shard_of(pod) not in failed)


def parts_alone(job: Json, parts: Iterable[Json]) -> bool:
    """Whether pods that left the backup to another one are all that a Job had, a shard each."""
    shards = {shard_of(pod) for pod in parts}
    completions = (job.get("spec") or {}).get("completions")
    return bool(shards) and len(shards) == completions


def _numbers(ranges: str) -> Iterable[int]:
    """The shards, from 1, of indexes as Kubernetes writes them: `1,3-5`."""
    for part in filter(None, ranges.split(",")):
        first, _, last = part.partition("-")
        if first.isdecimal() and (last or first).isdecimal():
            yield from range(int(first) + 1, int(last or first) + 2)
