"""Putting what was loaded beside in the place of what is live, and back; and dropping it.

An alias moves in one step. An index cannot be renamed: it is deleted, and made anew as a clone of
what was loaded, which shares its files.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.engines.elasticsearch.client import path_of
from dumpers.engines.elasticsearch.load import requests
from dumpers.engines.elasticsearch.load.contents import Item
from dumpers.engines.elasticsearch.load.target import Target, There, find_target, look_around
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import KsnapshotError, TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt

_BACK_SECONDS = 120.0
_CLONES = (7, 4)


def aliases_to_move(item: Item, there: There) -> Mapping[str, Mapping[str, Mapping[str, Any]]]:
    """The aliases that lead to what is live, with the indices behind each and their attributes."""
    if item.live in there.aliases:
        return {item.live: there.aliases[item.live]}
    return {
        name: {item.live: attributes} for name, attributes in there.aliases_of(item.live).items()
    }


def swap(to: Target, items: Sequence[Item], there: There) -> tuple[tuple[str, str], ...]:
    """Move all aliases from what is live to what was loaded, in one step.

    Returns each alias with the index that was behind it.
    """
    actions: list[dict[str, Any]] = []
    kept: list[tuple[str, str]] = []
    for item in items:
        for alias, behind in aliases_to_move(item, there).items():
            for index in behind:
                actions.append({"remove": {"index": index, "alias": alias}})
                kept.append((alias, index))
            attributes = next(iter(behind.values()))
            actions.append({"add": {"index": item.own, "alias": alias, **attributes}})
    if actions:
        to.send("POST", "/_aliases", {"actions": actions})
    return tuple(kept)


def replace_index(to: Target, item: Item, there: There) -> None:
    """Delete an index and make it anew of what was loaded beside.

    Raises the error with what the cluster holds now. Where the new one cannot be made, the name
    becomes an alias of what was loaded, so that it stands for the same documents.
    """
    wanted = to.count(item.own)
    to.send("PUT", path_of(item.own, "_settings"), {"index": {"blocks": {"write": True}}})
    aliases = there.aliases_of(item.live)
    to.ask("DELETE", path_of(item.live))
    try:
        _make(to, item)
        to.ask("POST", path_of(item.live, "_refresh"))
        found = to.count(item.live)
        if found != wanted:
            raise TargetFailedError(
                f"{item.live} has {found} documents, and {wanted} were loaded into {item.own}"
            )
        actions = [
            {"add": {"index": item.live, "alias": name, **attributes}}
            for name, attributes in aliases.items()
        ]
        if actions:
            to.send("POST", "/_aliases", {"actions": actions})
    except KsnapshotError as error:
        raise type(error)(f"{error}; {_stand_in(to, item)}") from error


def replace_stream(to: Target, item: Item) -> None:
    """Delete a data stream and fill a new one with what was loaded beside."""
    wanted = to.count(item.own)
    to.ask("DELETE", path_of("_data_stream", item.live))
    try:
        to.ask("PUT", path_of("_data_stream", item.live))
        _reindex(to, item, {"index": item.live, "op_type": "create"})
        to.ask("POST", path_of(item.live, "_refresh"))
        found = to.count(item.live)
        if found != wanted:
            raise TargetFailedError(
                f"{item.live} has {found} documents, and {wanted} were loaded into {item.own}"
            )
    except KsnapshotError as error:
        raise type(error)(
            f"{error}; the data stream {item.live} was deleted, and is incomplete or missing; all "
            f"documents of the backup are in {item.own}: reindex them from there"
        ) from error


def clones(to: Target) -> bool:
    """Whether an index can be made as a clone of another one."""
    return to.product.is_opensearch or to.product.number >= _CLONES


def _make(to: Target, item: Item) -> None:
    if clones(to):
        path = path_of(item.own, "_clone", item.live)
        to.ask("POST", path, wait_for_active_shards="1")
        to.send("PUT", path_of(item.live, "_settings"), {"index": {"blocks": {"write": None}}})
        return
    to.ask("PUT", path_of(item.live), requests.creation(item.answer, to.product))
    _reindex(to, item, {"index": item.live, "version_type": "external"})


def _reindex(to: Target, item: Item, destination: Mapping[str, str]) -> None:
    """Copy all documents of what was loaded; asked once, as nobody knows what a repeat finds."""
    body = {"source": {"index": item.own}, "dest": destination}
    answer = to.send("POST", "/_reindex", body, wait_for_completion="true")
    if answer.get("failures"):
        raise TargetFailedError(f"{len(answer['failures'])} documents could not be copied")


def _stand_in(to: Target, item: Item) -> str:
    """Let the name lead to what was loaded where nothing has it; what the cluster holds now."""
    # Also where the run has to stop.
    own = Interrupt(_BACK_SECONDS, work="clean-up", is_part=True)
    spared = Target(server=to.server, product=to.product, interrupt=own)
    whole = f"all documents of the backup are in {item.own}"
    try:
        if spared.exists(path_of(item.live)):
            return f"{item.live} is there anew, perhaps not whole; {whole}"
        settings = {"index": {"blocks": {"write": None}}}
        spared.send("PUT", path_of(item.own, "_settings"), settings)
        add = {"index": item.own, "alias": item.live}
        spared.send("POST", "/_aliases", {"actions": [{"add": add}]})
    except KsnapshotError:
        return f"{item.live} was deleted; {whole}: clone it, or let an alias {item.live} lead there"
    return f"{item.live} was deleted, and is an alias of {item.own} now; {whole}"


def undo_swap(target: Connection, kept: Sequence[tuple[str, str]], interrupt: Interrupt) -> None:
    """Let every alias lead to what was behind it before, in one step; see Engine.undo."""
    to = find_target(target, interrupt)
    there = look_around(to)
    gone = [old for _, old in kept if old not in there.indices]
    if gone:
        raise TargetRefusedError(
            f"these are not there any more: {abbreviate(gone)}; nothing was changed"
        )
    actions: list[dict[str, Any]] = []
    for alias in dict.fromkeys(alias for alias, _ in kept):
        before = [old for name, old in kept if name == alias]
        now = there.aliases.get(alias, {})
        others = sorted(now.keys() - set(before))
        if not others and now.keys() == set(before):
            continue
        if len(others) != 1:
            raise TargetRefusedError(
                f"the alias {alias} leads to {abbreviate(sorted(now)) or 'nothing'} now, not to "
                "what was restored alone: see to it by hand; nothing was changed"
            )
        attributes = now[others[0]]
        actions.append({"remove": {"index": others[0], "alias": alias}})
        actions += [
            {"add": {"index": old, "alias": alias, **attributes}}
            for old in before
            if old not in now
        ]
    if actions:
        to.send("POST", "/_aliases", {"actions": actions})


def forget_restored(target: Connection, names: Sequence[str], interrupt: Interrupt) -> None:
    """Delete indices and data streams; see Engine.forget.

    Raises TargetRefusedError, and deletes nothing, where an alias leads to one: it is in use.
    """
    to = find_target(target, interrupt)
    there = look_around(to)
    used = [f"{name} (by {alias})" for name in names for alias in there.aliases_of(name)]
    used += [f"{name} (an alias)" for name in names if name in there.aliases]
    if used:
        raise TargetRefusedError(
            f"these are in use, and nothing was deleted: {abbreviate(used)}: take the aliases away "
            "first, if that is meant"
        )
    for name in names:
        if name in there.streams:
            to.ask("DELETE", path_of("_data_stream", name))
        elif name in there.indices:
            to.ask("DELETE", path_of(name))
