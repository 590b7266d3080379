"""Annotations about dumping each shard of a database in a pod of its own."""

from dataclasses import dataclass

from controller.model.names import MAX_JOB_HOSTNAME, SCHEDULED_SUFFIX
from controller.model.status import Reason, Rejected
from controller.settings import parsers
from controller.workloads.annotations import (
    TEXTS,
    Annotation,
    RequestInput,
    list_types,
    unset_or,
)
from controller.workloads.storages.asked import STORAGE
from dumpers.engines.registry import ENGINES

SPREAD_SHARDS = "shards"
_MOST = 500
# As many as one pod reads tables at a time, where it dumps all shards.
_AT_A_TIME = 8
_SPREADING = tuple(engine for engine in ENGINES if engine.spreads)
_LISTED = next(annotation for annotation in TEXTS.values() if annotation.key == "shards")

SPREAD = Annotation(
    key="spread",
    default="",
    help="`shards` dumps each shard in a pod of its own, into one backup. "
    f"For {list_types(_SPREADING)}.",
    read=unset_or("", parsers.one_of_words((SPREAD_SHARDS,))),
)
SHARD_COUNT = Annotation(
    key="shard-count",
    default="as many as `shards` lists",
    help="How many shards there are, with `spread: shards`; a run fails if there are others.",
    read=unset_or(None, parsers.whole(1, _MOST)),
)
AT_A_TIME = Annotation(
    key="shards-at-a-time",
    default=f"all, at most {_AT_A_TIME}",
    help="How many shards are dumped beside each other, with `spread: shards`.",
    read=unset_or(None, parsers.whole(1, _MOST)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Spread:
    """A pod for each of so many shards, and how many of these pods run at a time."""

    shards: int
    at_a_time: int


def read_spread(given: RequestInput) -> Spread | None:
    """What is asked; None where one pod dumps everything. Raises RejectedError."""
    values = given.values
    count, at_a_time = SHARD_COUNT.value(values), AT_A_TIME.value(values)
    if not SPREAD.value(values):
        for annotation in (SHARD_COUNT, AT_A_TIME):
            if annotation.text(values):
                raise annotation.invalid(values, f"goes with {SPREAD.name}: {SPREAD_SHARDS}")
        return None
    if not given.engine.spreads:
        raise SPREAD.invalid(values, f"{given.engine.type} has no shards to spread: leave it out")
    if len(STORAGE.value(values)) > 1:
        raise SPREAD.invalid(
            values, f"pods that share a run write to one storage: name one in {STORAGE.name}"
        )
    listed = _LISTED.text(values).strip().removesuffix(";")
    of_list = len(listed.split(";")) if listed else None
    if count is not None and of_list not in {None, count}:
        raise SHARD_COUNT.invalid(values, f"{_LISTED.name} lists {of_list}")
    shards = count or of_list
    if shards is None:
        raise SPREAD.invalid(
            values, f"needs {SHARD_COUNT.name}: how many shards system.clusters has"
        )
    return Spread(shards=shards, at_a_time=min(at_a_time or _AT_A_TIME, shards))


def check_name(name: str, spread: Spread | None) -> Rejected | None:
    """Why a CronJob of this name can have no such Jobs: Kubernetes names their pods' hosts."""
    if spread is None:
        return None
    longest = len(name) + SCHEDULED_SUFFIX + 1 + len(str(spread.shards - 1))
    if longest <= MAX_JOB_HOSTNAME:
        return None
    return Rejected(
        Reason.ANNOTATION_INVALID,
        f"the annotation {SPREAD.name}: with {spread.shards} shards the hosts of the pods of "
        f"{name} would have {longest} characters, and Kubernetes takes {MAX_JOB_HOSTNAME}: leave "
        "it out",
    )
