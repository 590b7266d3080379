"""What a target holds already that a restore may not touch: rows, names and paths in Keeper."""

import re
from collections.abc import Iterator, Mapping

from dumpers.contract.restore.request import RestoreMode
from dumpers.engines.clickhouse.catalog import system_tables
from dumpers.engines.clickhouse.restore.exchange import RECORD
from dumpers.engines.clickhouse.restore.script_runner import Renamer
from dumpers.engines.clickhouse.restore.target import Target
from dumpers.engines.clickhouse.schema import ddl
from dumpers.engines.clickhouse.schema.names.naming import full_name
from dumpers.engines.clickhouse.schema.names.renaming import path_of
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.server.sql import count, literal, qualified
from dumpers.engines.clickhouse.stored.wanted import Wanted
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import KsnapshotError, TargetRefusedError

_MACRO = re.compile(r"\{(\w+)\}")
# What Keeper answers for a path that is not there.
_NO_NODE = re.compile(r"[Nn]o node|ZNONODE")


def check_free(target: Target, wanted: Wanted) -> None:
    """Raise TargetRefusedError where something is in the way that the mode may not replace."""
    if wanted.mode is RestoreMode.EMPTY and not wanted.partitions:
        check_empty(target, wanted)
        _check_paths(target, wanted)
        return
    _check_names(target, wanted)
    if wanted.mode is RestoreMode.EMPTY:
        _check_partitions(target, wanted)


def check_empty(target: Target, wanted: Wanted) -> None:
    """Raise TargetRefusedError where a table to be loaded has rows already."""
    keys = {wanted.own.table(key) for key in wanted.keys & wanted.contents.rows.keys()}
    held = []
    for server in target.servers:
        there = target.held(server, {database for database, _ in keys})
        for key in sorted(keys & there.keys()):
            [[rows]] = server.rows(count(qualified(*key)), target.interrupt)
            if int(rows):
                held.append(f"{'.'.join(key)} on {server.where}")
    if held:
        raise TargetRefusedError(
            f"these tables have rows already: {abbreviate(held)}: drop them, or restore elsewhere"
        )


def check_alone(target: Target, wanted: Wanted) -> None:
    """Raise TargetRefusedError where tables are replicas of others than those of the target.

    They would take rows from there, and what is loaded would go there: so it is where a path in
    Keeper is written out, and is in use elsewhere.
    """
    keys = {wanted.own.table(key) for key in wanted.keys}
    databases = sorted({database for database, _ in keys})
    for server in target.servers:
        for key, at in system_tables.paths(server, databases, target.interrupt).items():
            if key in keys and at.total > len(target.servers):
                raise TargetRefusedError(
                    f"{'.'.join(key)} of {server.where} has {at.total} replicas at {at.path} in "
                    "Keeper, more than the target has servers: it is a replica of other servers' "
                    "table; drop it, and restore with another Keeper"
                )


def _check_names(target: Target, wanted: Wanted) -> None:
    """Raise TargetRefusedError where the names beside the live ones are taken."""
    keys = {wanted.own.table(key) for key in wanted.keys}
    whole = set() if wanted.is_by_table else {wanted.own.database(n) for n in wanted.databases}
    for server in target.servers:
        held = target.held(server, {database for database, _ in keys} | whole)
        taken = sorted(
            key
            for key in held
            if key in keys or key[0] in whole or (wanted.is_staged and key[1] == RECORD)
        )
        ours = {database for database, name in taken if name == RECORD}
        if ours:
            raise TargetRefusedError(
                f"{abbreviate([full_name(name) for name in sorted(ours)])} of {server.where} is "
                "what an earlier restore has loaded or kept: forget it first, or take another "
                "suffix"
            )
        if taken:
            raise TargetRefusedError(
                f"{server.where} has these already: "
                f"{abbreviate([full_name(*key) for key in taken])}: if an earlier restore left "
                "them, forget them; else take another suffix or name"
            )


def _check_partitions(target: Target, wanted: Wanted) -> None:
    """Raise TargetRefusedError where a table has rows in a partition that is to be loaded."""
    held = []
    for server in target.servers:
        for key, ids in wanted.partitions.items():
            live = wanted.live.table(key)
            there = system_tables.partitions(server, *live, target.interrupt)
            held += [
                f"{id_} of {full_name(*live)} on {server.where}" for id_ in ids if id_ in there
            ]
    if held:
        raise TargetRefusedError(
            f"these partitions have rows already: {abbreviate(held)}: replace them (overwrite), "
            "load them beside, or drop them"
        )


def _check_paths(target: Target, wanted: Wanted) -> None:
    """Raise TargetRefusedError where a path in Keeper belongs to other servers' tables."""
    renamer = Renamer(own=wanted.own, references=wanted.own)
    own = {
        (database, table, path, replica)
        for server in target.servers
        for database, table, path, replica in server.rows(
            "SELECT database, table, zookeeper_path, replica_name FROM system.replicas",
            target.interrupt,
        )
    }
    asked: dict[str, str] = {}
    for server in target.servers:
        macros = dict(
            server.rows("SELECT macro, substitution FROM system.macros", target.interrupt)
        )
        held = target.held(server, {wanted.own.table(key)[0] for key in wanted.keys})
        for key, path in _paths(wanted, renamer, macros):
            if key in held or path in asked:
                continue
            asked[path] = full_name(*key)
            others = [
                name for name in _registered(target, server, path) if (*key, path, name) not in own
            ]
            if others:
                raise TargetRefusedError(
                    f"the path {path} in Keeper, which {asked[path]} is to have, is in use by "
                    f"{abbreviate(others)}: they would be replicas of one table; restore with "
                    "another Keeper, beside, or under another name"
                )


def _paths(
    wanted: Wanted, renamer: Renamer, macros: Mapping[str, str]
) -> Iterator[tuple[tuple[str, str], str]]:
    """The new name of each replicated table, and its path as the server would read it."""
    for key in sorted(wanted.keys):
        statement = wanted.contents.made.get(key)
        if statement is None or "Replicated" not in statement.text:
            continue
        text, _ = renamer.rename(statement)
        path, create, new = path_of(text), ddl.parse(text), wanted.own.table(key)
        ids = create.ids if create is not None else ()
        known = {**macros, "database": new[0], "table": new[1], "uuid": (*ids, "")[0]}
        read = _MACRO.sub(lambda found, known=known: known.get(found[1], found[0]), path)  # type: ignore[misc]
        if path.startswith("/") and "{" not in read:
            yield new, read


def _registered(target: Target, server: Server, path: str) -> list[str]:
    """The replicas that Keeper has at a path."""
    try:
        rows = server.rows(
            f"SELECT name FROM system.zookeeper WHERE path = {literal(f'{path}/replicas')}",  # noqa: S608  quoted
            target.interrupt,
        )
    except KsnapshotError as error:
        if isinstance(error, server.errors.failed) and _NO_NODE.search(str(error)):
            return []
        raise
    return [row[0] for row in rows]
