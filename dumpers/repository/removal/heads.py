"""What the store says of many objects, asked side by side."""

from collections.abc import Iterable
from functools import partial

from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.answers import Head


def read_heads(storage: RunStorage, keys: Iterable[str]) -> dict[str, Head | None]:
    """What the store says of each of these objects; None for one that is not there.

    Raises the store's errors.
    """
    asking = {
        key: storage.submit(partial(storage.repeat, partial(_head, storage, key))) for key in keys
    }
    return {key: storage.interrupt.result(head) for key, head in asking.items()}


def _head(storage: RunStorage, key: str) -> Head | None:
    return storage.bucket.head(key)
