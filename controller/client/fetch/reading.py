"""One object of an offered backup, from the store to its proven end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from controller.client.fetch.download import ObjectDownload
from controller.client.fetch.sources import Source
from controller.client.fetch.unpacking import find_unpacking
from controller.client.fetch.wanted import FetchWanted
from controller.client.keys.age_tool import AgeTool
from dumpers.contract.fetch.offer import Offer, OfferedObject
from dumpers.contract.restore.identities import parse_identities
from dumpers.runtime.errors import EncryptionError, NoKeyFitsError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import BufferedReader
from dumpers.streams.unpacking import (
    Decrypt,
    Stored,
    StoredReader,
    UnpackedReader,
    name_recipients,
    no_key_fits,
)


def check_wanted(offer: Offer, wanted: FetchWanted) -> None:
    """Raise what can be known before anything is downloaded.

    ConfigurationError for what cannot be unpacked here, EncryptionError where a key is missing.
    """
    if wanted.stored:
        return
    find_unpacking(offer.compression)
    if offer.recipients is not None and not wanted.identity:
        raise EncryptionError(
            f"the backup is encrypted for {name_recipients(offer.recipients)}: give the file with "
            "the private key of one of them by -i, or take it as it is by --stored"
        )


@contextmanager
def reading(
    source: Source,
    place: int,
    wanted: FetchWanted,
    age: AgeTool,
    *,
    interrupt: Interrupt,
    count: Callable[[int], None],
) -> Iterator[BufferedReader]:
    """Read one object, as it is wanted, to its proven end; `count` gets the stored bytes."""
    offer = source.offer
    item = offer.objects[place]
    download = ObjectDownload(source, place, interrupt=interrupt, count=count)
    stored = _stored_as(item, offer)
    reader: StoredReader | UnpackedReader
    if wanted.stored:
        reader = StoredReader(download, stored)
    else:
        decrypt: Decrypt | None = None
        if offer.recipients is not None:
            decrypt = age.decrypting(wanted.identity, interrupt)
        unpack = find_unpacking(offer.compression)
        reader = UnpackedReader(download, stored, decrypt=decrypt, unpack=unpack)
    try:
        with reader:
            yield reader
    except NoKeyFitsError as error:
        raise no_key_fits(
            item.key,
            recipients=offer.recipients or (),
            own=age.public_keys(wanted.identity),
            keys=len(parse_identities(wanted.identity)),
        ) from error
    finally:
        download.close()


def _stored_as(item: OfferedObject, offer: Offer) -> Stored:
    return Stored(
        key=item.key,
        size=item.size,
        sha256=item.sha256,
        source_size=item.source_size,
        source_sha256=item.source_sha256,
        legacy_engine=offer.engine if offer.is_legacy else "",
    )
