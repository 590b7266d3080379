"""The options of `ksnapshot fetch` as values, checked against each other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from controller.client.restore.identity import read_identity
from controller.client.restore.moments import choose_backup
from controller.client.restore.options import OptionError, parse_list

_STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchWanted:
    """What a person wants; what is not said is empty.

    `backup` is as the variable BACKUP has it, `identity` the text of the private keys. `path` is
    None for stdout; with `is_folder` it is one, whatever is there. With `stored` nothing is
    decrypted or unpacked, with `only_list` nothing fetched.
    """

    backup: str
    objects: tuple[str, ...]
    identity: str = field(repr=False)
    path: Path | None
    is_folder: bool
    stored: bool
    only_list: bool
    through_cluster: bool
    from_cluster: str


def read_wanted(options: Mapping[str, Any], now: datetime | None = None) -> FetchWanted:
    """Read the options by their names; OptionError where they cannot be meant."""
    if options["stored"] and options["identity"]:
        raise OptionError("--stored and --identity: what stays encrypted needs no key")
    path = options["output"]
    return FetchWanted(
        backup=choose_backup(
            options["backup"], options["at"], now or datetime.now(UTC), named="an ID"
        ),
        objects=parse_list(options["objects"]),
        identity=read_identity(options["identity"]) if options["identity"] else "",
        path=None if path in {"", _STDOUT} else Path(path),
        is_folder=path.endswith("/") or (path not in {"", _STDOUT} and Path(path).is_dir()),
        stored=options["stored"],
        only_list=options["only_list"],
        through_cluster=options["through_cluster"],
        from_cluster=options["from_cluster"],
    )
