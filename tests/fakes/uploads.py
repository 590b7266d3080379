"""Uploads to one store, where those of a run may go to several."""

from dumpers.storage.multipart import Upload
from dumpers.storage.run_storage import RunStorage
from dumpers.storage.stores import Stores


def only(storage: RunStorage, key: str = "dump") -> Upload:
    """An upload to this store alone, in parts of a KiB."""
    stores = Stores({"main": storage}, interrupt=storage.interrupt)
    return Upload.begin(stores, {"main": key}, part_size=1 << 10)
