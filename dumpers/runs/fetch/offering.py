"""A backup as it is offered to one person, and encrypted for them alone."""

import io
from collections.abc import Iterator, Sequence

from dumpers.contract.fetch import sealed
from dumpers.contract.fetch.offer import Offer, OfferedObject
from dumpers.contract.restore.result import BackupResult
from dumpers.repository.catalogue import Entry, State, rfc3339
from dumpers.repository.records import Manifest
from dumpers.runtime.errors import ExitCode
from dumpers.streams import age


def make_offer(
    entry: Entry,
    manifest: Manifest,
    places: Sequence[str],
    *,
    seconds: int = 0,
    ca: str = "",
    port: int = 0,
    token: str = "",
) -> Offer:
    """The offer of a backup whose objects are at these places, in the manifest's order."""
    return Offer(
        backup=entry.id,
        began=rfc3339(entry.started),
        engine=manifest.begun.engine,
        workload=manifest.begun.workload,
        compression=manifest.compression,
        recipients=manifest.encryption.recipients if manifest.encryption else None,
        is_legacy=entry.state is State.LEGACY,
        notes=entry.notes,
        objects=tuple(
            OfferedObject(
                key=item.key,
                name=item.name,
                part=item.part,
                ending=item.ending,
                size=item.size,
                sha256=item.sha256,
                source_size=item.source_size,
                source_sha256=item.source_sha256,
                place=place,
            )
            for item, place in zip(manifest.objects, places, strict=True)
        ),
        seconds=seconds,
        ca=ca,
        port=port,
        token=token,
    )


def seal(offer: Offer, reply_to: str) -> Iterator[str]:
    """The offer as lines that only the holder of the recipient's key can read."""
    target = io.BytesIO()
    source = io.BytesIO(sealed.pack(offer.to_json()))
    age.encrypt(source, target, age.parse_recipients([reply_to]))
    return sealed.to_lines(target.getvalue())


def offered(entry: Entry, *, seconds: float) -> BackupResult:
    """The result of a job that has handed a backup over."""
    return BackupResult(
        succeeded=True,
        exit_code=ExitCode.DONE,
        reason="Succeeded",
        message="",
        backup=entry.id,
        began=rfc3339(entry.started),
        objects=entry.objects,
        stored_bytes=entry.stored_bytes,
        seconds=round(seconds, 3),
    )
