"""One manifest out of the records of all shards of a run; pure."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from dumpers.repository.records import (
    Encryption,
    Manifest,
    NoteRecord,
    ObjectRecord,
    Retention,
    StartedRecord,
)
from dumpers.repository.sharing.shard_record import ShardObject, ShardRecord


def open_shards(begun: StartedRecord, found: Mapping[int, ShardRecord]) -> tuple[int, ...]:
    """The shards of a run that are not done, by their numbers; none when it can be committed."""
    numbers = range(1, begun.shards + 1)
    return tuple(number for number in numbers if number not in found or not found[number].done)


def unheld(shards: Sequence[ShardRecord]) -> Sequence[str]:
    """The tables whose rows a shard left to another one, and that no other one has stored."""
    return sorted(
        {
            name
            for shard in shards
            for name in shard.borrows
            if not any(name in other.holds for other in shards if other.shard != shard.shard)
        }
    )


def moved(shards: Sequence[ShardRecord]) -> Sequence[str]:
    """The servers that pods of the run saw in different shards, which they number otherwise then.

    Rows of one shard would be there twice, and those of another one not at all.
    """
    seen: dict[str, set[int]] = {}
    for shard in shards:
        for server, number in shard.places.items():
            seen.setdefault(server, set()).add(number)
    return sorted(server for server, numbers in seen.items() if len(numbers) > 1)


def objects_in_order(shards: Sequence[ShardRecord]) -> tuple[ObjectRecord, ...]:
    """The objects of all shards in the order in which they load."""
    placed = [
        (item.stage, shard.shard, number, item)
        for shard in shards
        for number, item in enumerate(shard.objects)
    ]
    return tuple(item.record for *_, item in sorted(placed, key=lambda one: one[:3]))


def assemble(
    begun: StartedRecord,
    shards: Sequence[ShardRecord],
    *,
    finished: datetime,
    compression: str,
    recipients: tuple[str, ...],
    retention: Retention | None,
    size_accepted: bool,
    required_proof: str,
    options: Mapping[str, str],
) -> Manifest:
    """The manifest of a run all of whose shards are done.

    What is said of the whole is said by the shard that was done last; versions that differ are all
    named. The keys of its started record are those of all pods, so that what one of them has left
    behind is deleted with the backup.
    """
    last = max(shards, key=lambda shard: (shard.updated, shard.shard))
    keys = dict.fromkeys([*begun.keys, *(key for shard in shards for key in shard.keys)])
    return Manifest(
        begun=replace(begun, keys=tuple(keys)),
        finished=finished,
        server_version=_all_of([shard.server_version for shard in shards]),
        tool_version=_all_of([shard.tool_version for shard in shards]),
        compression=compression,
        encryption=Encryption(recipients=recipients) if recipients else None,
        objects=objects_in_order(shards),
        notes=merge_notes([note for shard in shards for note in shard.notes]),
        retention=retention,
        size_accepted=size_accepted,
        required_proof=required_proof,
        options=options,
        metadata=last.metadata,
    )


def merge_notes(notes: Sequence[NoteRecord]) -> tuple[NoteRecord, ...]:
    """Notes that say the same of several shards, once, with all that they say it of.

    One is accepted where it is so in every shard.
    """
    found: dict[tuple[str, str], NoteRecord] = {}
    for note in notes:
        known = found.setdefault((note.code, note.text), note)
        found[note.code, note.text] = replace(
            known,
            objects=tuple(dict.fromkeys([*known.objects, *note.objects])),
            accepted=known.accepted and note.accepted,
        )
    return tuple(found.values())


def taken_over(
    stored: Sequence[ShardObject], wanted: Mapping[str, str], stages: Mapping[str, int]
) -> Mapping[str, ShardObject]:
    """The objects of an earlier pod that are what a later one would store, by its keys for them.

    `wanted` has the identities of what is to be stored by these keys, `stages` when that loads: as
    the later pod sees it, whose scripts they load between.
    """
    by_identity = {item.identity: item for item in stored if item.identity}
    return {
        key: replace(by_identity[identity], stage=stages[key])
        for key, identity in wanted.items()
        if identity in by_identity
    }


def _all_of(versions: Sequence[str]) -> str:
    return ", ".join(dict.fromkeys(versions))
