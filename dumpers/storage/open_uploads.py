"""Beginning and dropping uploads, so that none stays open that nobody knows of."""

import logging
from contextlib import suppress

from dumpers.runtime.errors import (
    InterruptedRunError,
    KsnapshotError,
    StorageFailedError,
    StorageRefusedError,
)
from dumpers.runtime.log import fields
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.s3.answers import CreatedUpload

_LOG = logging.getLogger(__name__)

# With the last parts of an upload and the failed record it has to stay below the 30 s after which a
# pod is killed.
_LAST_CALL_SECONDS = 10.0
# Stands for the token of an upload that is never completed.
_PROBE = "probe"


def probe(store: RunStorage, key: str) -> None:
    """Begin an upload under `key` and abort it: proof of bucket, keys and rights.

    Also finds out whether the store keeps checksums of whole objects. A store that refuses to be
    asked for them, in whatever words, is asked once more without.
    """
    try:
        created = create(store, key, token=_PROBE)
    except StorageRefusedError as error:
        store.checksums = False
        created = create(store, key, token=_PROBE)
        store.forgo_checksums(error)
    store.checksums = store.checksums and created.checksums
    try:
        store.call(lambda: store.bucket.abort_upload(key, created.id))
    except InterruptedRunError:
        abort(store, key, created.id)
        raise


def create(store: RunStorage, key: str, *, token: str) -> CreatedUpload:
    """Begin an upload, and drop those that lost answers left under this key.

    The object will carry `token`, by which it is told from one of an earlier upload.
    """
    tries = 0

    def begin() -> CreatedUpload:
        nonlocal tries
        tries += 1
        return store.bucket.create_upload(
            key, run=store.run, token=token, checksums=store.checksums, lock=store.lock
        )

    begun = store.submit(lambda: store.repeat(begin))
    try:
        created = store.interrupt.result(begun)
    except InterruptedRunError:
        # It may have been begun all the same, and only its answer knows its id.
        with suppress(KsnapshotError, TimeoutError):
            abort(store, key, begun.result(_LAST_CALL_SECONDS).id)
        raise
    except StorageFailedError:
        _abort_strays(store, key, keep="")
        raise
    if tries > 1:
        _abort_strays(store, key, keep=created.id)
    return created


def abort(store: RunStorage, key: str, upload: str) -> None:
    """Drop an upload on the run's way out; never raises."""
    try:
        store.call_at_end(
            lambda: store.bucket.abort_upload(key, upload), last_seconds=_LAST_CALL_SECONDS
        )
    except (KsnapshotError, TimeoutError) as error:
        _LOG.warning(
            "an unfinished upload stays in the bucket: a lifecycle rule for incomplete "
            "multipart uploads removes it",
            extra=fields(key=key, upload=upload, error=str(error) or "no answer"),
        )


def _abort_strays(store: RunStorage, key: str, *, keep: str) -> None:
    """Drop what the store may have begun without us hearing of it; never raises."""
    try:
        store.call_at_end(
            lambda: _drop_uploads(store, key, keep=keep), last_seconds=_LAST_CALL_SECONDS
        )
    except (KsnapshotError, TimeoutError) as error:
        why = str(error) or "no answer"
        _LOG.info("an upload may stay open", extra=fields(key=key, why=why))


def _drop_uploads(store: RunStorage, key: str, *, keep: str) -> None:
    """Abort all uploads of a key but one; nobody else writes this key."""
    for found, upload in store.bucket.uploads(key):
        if found == key and upload != keep:
            store.bucket.abort_upload(key, upload)
