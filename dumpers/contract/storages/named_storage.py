"""The storages that a job may use, by the names that an admin gave them."""

import re
from dataclasses import dataclass

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.names import STORAGES
from dumpers.contract.storages.location import S3Location, read_location
from dumpers.contract.storages.place import store_of

# The storage of the ConfigMap and Secret that 0.6.0 knew.
MAIN = "main"
NAME = re.compile(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?")
# The result of a run has a word on each of them, and little room.
_MOST = 16
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedStorage:
    """One of the storages that a job may use.

    `fault` says what is wrong with its variables, empty where nothing is: with one, nothing may be
    done there, and `location` is no place. A job's first storage never has one.
    """

    name: str
    location: S3Location
    fault: str = ""


def split_names(text: str) -> tuple[str, ...]:
    """The names of a list with commas; ValueError, as the rest of a sentence, if it is none."""
    names = tuple(part.strip() for part in text.split(","))
    if len(names) > _MOST:
        raise ValueError(f"names {len(names)} storages: at most {_MOST} get one backup")
    for name in names:
        if not NAME.fullmatch(name):
            raise ValueError(
                f"holds {name[:_SHOWN]!r}: a storage's name has at most 32 small letters, digits "
                "and dashes, and begins with a letter"
            )
        if names.count(name) > 1:
            raise ValueError(f"names {name} twice")
    return names


def read_storages(env: EnvReader) -> tuple[NamedStorage, ...]:
    """Read a job's storages, at least one; what is wrong with the first one is a fault of `env`.

    The first one is where the variables BACKEND_… say. What is wrong with the variables of another
    one is its own `fault`, so that it keeps no job from the first.
    """
    listed = env.text(STORAGES) or MAIN
    try:
        names = split_names(listed)
    except ValueError as error:
        env.faults.append(f"{STORAGES} {error}")
        names = (MAIN,)
    storages = (
        NamedStorage(name=names[0], location=read_location(env)),
        *(_read_further(env, name) for name in names[1:]),
    )
    _find_twins(env, storages)
    return storages


def _read_further(env: EnvReader, name: str) -> NamedStorage:
    own = EnvReader(env.env)
    location = read_location(own, name)
    return NamedStorage(name=name, location=location, fault="; ".join(own.faults))


def _find_twins(env: EnvReader, storages: tuple[NamedStorage, ...]) -> None:
    """Add a fault where two storages are one place, so that one copy would be taken for two.

    Where one with a fault of its own is, is not known, and nothing is done there.
    """
    places: dict[tuple[str, str, str], list[str]] = {}
    for item in storages:
        if not item.fault:
            places.setdefault(_place(item.location), []).append(item.name)
    for names in places.values():
        if len(names) > 1:
            env.faults.append(
                f"{STORAGES} names {' and '.join(names)}, which are one place: the same endpoint, "
                "bucket and path"
            )


def _place(location: S3Location) -> tuple[str, str, str]:
    store = store_of(location.endpoint or "", location.region or "")
    return store, location.bucket, location.path
