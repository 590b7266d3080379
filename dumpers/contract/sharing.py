"""A run that the pods of one Indexed Job share, a shard for each."""

from dataclasses import dataclass

from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.env_reader import EnvReader
from dumpers.contract.names import INDEX, JOB, JOB_UID, SHARDS

_MOST = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """A pod's part of the run of a Job, which is `job` by its uid and `name`.

    `index` counts the shards from 0, and is None in a Job that is not Indexed and only checks;
    `count` is how many there are.
    """

    index: int | None
    count: int
    job: str
    name: str

    @property
    def number(self) -> int:
        """The shard's number, from 1; 0 without an index."""
        return 0 if self.index is None else self.index + 1


def read_share(reader: EnvReader, engine: EngineSpec | None, *, storages: int) -> Share | None:
    """Read which part of its run a job does, to so many storages; None where it does all of it."""
    count = reader.positive(SHARDS)
    if count is None:
        return None
    if count > _MOST:
        reader.faults.append(f"{SHARDS} is {count}: at most {_MOST} pods may share a run")
    if engine and not engine.spreads:
        reader.faults.append(f"{SHARDS} is set, but {engine.type} has no shards to spread")
    if storages > 1:
        reader.faults.append(f"{SHARDS} is set, but a run that pods share writes to one storage")
    told = reader.text(INDEX)
    index = int(told) if told.isdecimal() else None
    if told and (index is None or index >= count):
        reader.faults.append(f"{INDEX} is {told[:20]!r}: it must be 0 to {count - 1}")
    return Share(
        index=index,
        count=count,
        job=reader.required(JOB_UID, "the uid of this pod's Job"),
        name=reader.required(JOB, "the name of this pod's Job"),
    )
