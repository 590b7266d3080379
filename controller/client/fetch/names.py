"""Which objects of a backup are meant, and the names of their files. Pure."""

import difflib
from collections.abc import Sequence
from pathlib import PurePosixPath

from controller.client.restore.options import OptionError
from dumpers.contract.fetch.offer import Offer, OfferedObject
from dumpers.contract.key_names import segment
from dumpers.repository.keys import AGE_SUFFIX, COMPRESSION_SUFFIXES

# Of PostgreSQL.
_GLOBALS = ".globals.sql"
_SHOWN = 10


def label_of(item: OfferedObject) -> str:
    """The name by which an object is chosen: `shop.sql`, `shop/s1r1/app/orders.native`."""
    label = "/".join((item.name, *item.part)) + item.ending
    # A name may hold what a terminal would obey.
    return "".join(letter if letter.isprintable() else "?" for letter in label)


def choose_objects(offer: Offer, wanted: Sequence[str]) -> list[int]:
    """The places of the objects that are meant; all of them where none is named.

    A name is an object's, with its ending or without, or the beginning of a path of several.
    OptionError names near misses.
    """
    if not wanted:
        return list(range(len(offer.objects)))
    chosen: dict[int, None] = {}
    for name in wanted:
        found = [place for place, item in enumerate(offer.objects) if _fits(item, name)]
        if not found:
            labels = [label_of(item) for item in offer.objects]
            near = difflib.get_close_matches(name, labels, n=3)
            meant = f"did you mean {' or '.join(near)}" if near else f"it holds {shorten(labels)}"
            raise OptionError(f"--object {name!r}: the backup holds no such object; {meant}")
        chosen |= dict.fromkeys(found)
    return sorted(chosen)


def choose_for_stdout(offer: Offer, places: Sequence[int], *, is_named: bool) -> int:
    """The place of the one object that goes to stdout.

    Roles and settings of a whole server lie beside its database: they go there only if named.
    OptionError where there are several.
    """
    main = [place for place in places if not offer.objects[place].ending.endswith(_GLOBALS)]
    chosen = main if main and not is_named else places
    if len(chosen) == 1:
        return chosen[0]
    labels = [label_of(offer.objects[place]) for place in chosen]
    raise OptionError(
        f"the backup holds {len(labels)} objects, and stdout has room for one: name it by "
        f"--object, or a folder by -o FOLDER/ ({shorten(labels)})"
    )


def file_name(item: OfferedObject, offer: Offer, *, stored: bool) -> PurePosixPath:
    """The file of an object below a folder; no name leads out of it.

    `stored` objects keep the endings of compression and encryption.
    """
    *folders, last = (_safe(part) for part in (item.name, *item.part))
    ending = item.ending
    if stored:
        ending += COMPRESSION_SUFFIXES.get(offer.compression, "")
        ending += "" if offer.recipients is None else AGE_SUFFIX
    return PurePosixPath(*folders, f"{last}{segment(ending)}")


def shorten(labels: Sequence[str]) -> str:
    """The first of some names, and how many more there are."""
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(labels[:_SHOWN]) + more


def _fits(item: OfferedObject, name: str) -> bool:
    path = "/".join((item.name, *item.part))
    return name in {path, label_of(item)} or path.startswith(f"{name.rstrip('/')}/")


def _safe(part: str) -> str:
    """A part of a name as one segment of a path: `..` would lead out, and nothing nowhere."""
    made = segment(part)
    return made.replace(".", "%2E") if made in {".", ".."} else made or "_"
