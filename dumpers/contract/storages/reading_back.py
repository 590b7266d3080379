"""Whether objects are read back once they are stored, and where they cannot be."""

from collections.abc import Sequence
from dataclasses import replace

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.names import READ_BACK, VERIFY
from dumpers.contract.storages.location import S3Location
from dumpers.contract.storages.named_storage import NamedStorage
from dumpers.contract.storages.variables import ARCHIVES, S3_STORAGE_CLASS, named_variable


def read_verify(reader: EnvReader, location: S3Location) -> str:
    """READ_BACK, or empty where nothing is read back."""
    value = reader.choice(VERIFY, ("", READ_BACK), f"{READ_BACK} or not be set")
    if value and location.storage_class in ARCHIVES:
        reader.faults.append(_unreadable(S3_STORAGE_CLASS, location))
    return value


def readable(storages: Sequence[NamedStorage]) -> tuple[NamedStorage, ...]:
    """The storages, with a fault where nothing of a further one can be read back."""
    return tuple(
        replace(item, fault=_unreadable(named_variable(S3_STORAGE_CLASS, item.name), item.location))
        if number and not item.fault and item.location.storage_class in ARCHIVES
        else item
        for number, item in enumerate(storages)
    )


def _unreadable(variable: str, location: S3Location) -> str:
    return (
        f"{VERIFY} is {READ_BACK}, but objects in {variable}={location.storage_class} cannot be "
        "read: drop one of the two"
    )
