"""What can be known of a target before the first byte: each fault with its cure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from dumpers.contract.restore.request import RestoreMode
from dumpers.engines.clickhouse.catalog.write_rights import Right, lacking
from dumpers.engines.clickhouse.restore.target import EXCHANGING, Target
from dumpers.engines.clickhouse.schema.lexer import Token, TokenKind, significant
from dumpers.engines.clickhouse.schema.names.naming import Key, full_name
from dumpers.engines.clickhouse.server.client import Server
from dumpers.engines.clickhouse.stored.beside import why_not_beside
from dumpers.engines.clickhouse.stored.contents import Statement, numbers
from dumpers.engines.clickhouse.stored.wanted import Wanted
from dumpers.engines.names import abbreviate
from dumpers.runtime.errors import TargetRefusedError

# Their bytes are read by the same release or a newer one only.
_NEWER_TYPES = frozenset(("AggregateFunction", "JSON", "Object", "Variant", "Dynamic"))
_EXCHANGE_RIGHTS = ("CREATE TABLE", "INSERT", "SELECT", "DROP TABLE")
_DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needs:
    """What the chosen statements ask of a server, each with a table that does."""

    engines: dict[str, str]
    policies: dict[str, str]
    clusters: dict[str, str]


def check_servers(target: Target, wanted: Wanted) -> Sequence[str]:
    """Hold what is chosen against every server; return notes.

    Raises TargetRefusedError for what would stop the restore for certain.
    """
    faults = [
        fault
        for server in target.servers
        for fault in _faults(target, server, _needs(wanted, _there(target, server, wanted)), wanted)
    ]
    if faults:
        raise TargetRefusedError("; ".join(dict.fromkeys(faults)))
    return _check_releases(target, wanted)


def _faults(target: Target, server: Server, needs: _Needs, wanted: Wanted) -> Iterator[str]:
    settings = dict(
        server.rows(
            "SELECT name, value FROM system.settings WHERE name IN ('readonly', 'allow_ddl')",
            target.interrupt,
        )
    )
    if settings.get("readonly", "0") != "0" or settings.get("allow_ddl", "1") == "0":
        yield (
            f"this account may only read on {server.where} (readonly or allow_ddl of its profile): "
            "restore as another account"
        )
        return
    missing = lacking(server, sorted(_rights(wanted), key=str), target.interrupt)
    if missing:
        yield (
            f"this account lacks rights on {server.where}: GRANT "
            f"{', '.join(map(str, missing))} to it"
        )
    own = {
        name
        for (name,) in server.rows(
            "SELECT name FROM system.tables WHERE database = 'system'", target.interrupt
        )
    }

    def column(table: str, name: str) -> set[str] | None:
        if table not in own:
            return None
        rows = server.rows(f"SELECT {name} FROM system.{table}", target.interrupt)  # noqa: S608  constants
        return {row[0] for row in rows}

    replicated = [
        table for engine, table in needs.engines.items() if engine.startswith("Replicated")
    ]
    if replicated and "zookeeper" not in own:
        yield f"{server.where} has no Keeper, which the replicated table {replicated[0]} needs"
    for what, named, known in (
        ("engines", needs.engines, column("table_engines", "name")),
        ("storage policies", needs.policies, column("storage_policies", "policy_name")),
        ("clusters", needs.clusters, column("clusters", "cluster")),
    ):
        unknown = [
            f"{name} ({table})"
            for name, table in named.items()
            if known is not None and name not in known
        ]
        if unknown:
            yield f"{server.where} does not know these {what}: {abbreviate(unknown)}"


def _there(target: Target, server: Server, wanted: Wanted) -> frozenset[Key]:
    """The chosen tables that a server has already under their new names, and keeps as they are."""
    if wanted.mode is not RestoreMode.EMPTY or wanted.partitions:
        return frozenset()
    names = {wanted.own.table(key): key for key in wanted.keys}
    held = target.held(server, {database for database, _ in names})
    return frozenset(names[name] for name in held if name in names)


def _needs(wanted: Wanted, there: frozenset[Key]) -> _Needs:
    """What statements ask for but those of tables that are `there`."""
    needs = _Needs(engines={}, policies={}, clusters={})
    for statement in _made(wanted):
        create, key = statement.create, statement.key
        assert create is not None
        assert key is not None
        if key in there:
            continue
        name = full_name(*key)
        engine = create.engine
        if create.object == "TABLE" and engine and not engine.endswith("()"):
            needs.engines.setdefault(engine, name)
        if create.object == "DICTIONARY":
            continue
        words = significant(statement.text) if _may_name(statement.text, engine) else []
        for place, word in enumerate(words[:-2]):
            following = words[place + 2]
            if word.is_word("STORAGE_POLICY") and following.kind is TokenKind.STRING:
                needs.policies.setdefault(following.value, name)
            if word.text == "Distributed" and words[place + 1].text == "(" and _is_name(following):
                needs.clusters.setdefault(following.value, name)
    return needs


def _may_name(text: str, engine: str) -> bool:
    """Whether a statement may ask for a policy or a cluster: most do not, and are many."""
    return engine == "Distributed" or "storage_policy" in text


def _is_name(token: Token) -> bool:
    kinds = {TokenKind.WORD, TokenKind.STRING, TokenKind.QUOTED}
    return token.kind in kinds and "{" not in token.value


def _made(wanted: Wanted) -> Iterator[Statement]:
    """The statements that the restore will run."""
    for key in sorted(wanted.keys):
        statement = wanted.contents.made.get(key)
        if statement is None or (wanted.partitions and key not in wanted.data):
            continue
        if wanted.mode is not RestoreMode.BESIDE or not why_not_beside(statement, wanted):
            yield statement


def _rights(wanted: Wanted) -> set[Right]:
    """The rights that the restore needs."""
    own = {wanted.own.table(key)[0] for key in wanted.keys}
    live = {wanted.live.table(key)[0] for key in wanted.keys}
    made = list(_made(wanted))
    kinds = {statement.create.object for statement in made if statement.create is not None}
    words = ["INSERT", "SELECT", *(f"CREATE {kind}" for kind in kinds)]
    rights = {Right(words=each, database=name) for each in words for name in own}
    rights |= {Right(words="CREATE DATABASE", database=name) for name in own if name != _DEFAULT}
    if wanted.is_staged:
        rights |= {
            Right(words=each, database=name) for name in own | live for each in _EXCHANGE_RIGHTS
        }
        rights |= {Right(words="DROP DATABASE", database=name) for name in own}
    if wanted.partitions:
        changed = live if wanted.is_staged else own
        rights |= {Right(words="ALTER DELETE", database=name) for name in changed}
    return rights


def _check_releases(target: Target, wanted: Wanted) -> Sequence[str]:
    """Notes on releases; TargetRefusedError where a server is too old for sure."""
    dumped = wanted.contents.release
    if not dumped:
        return ("the backup does not say which release it is of",)
    older = [replica for replica in target.replicas if numbers(replica.release) < numbers(dumped)]
    if not older:
        return ()
    asking = [
        full_name(*statement.key)
        for statement in _made(wanted)
        if statement.key is not None
        and statement.create is not None
        and any(token.text in _NEWER_TYPES for token in statement.create.tokens)
    ]
    where = f"{older[0].server.where} is of release {older[0].release}, the backup of {dumped}"
    if asking:
        raise TargetRefusedError(
            f"{where}: types of {abbreviate(asking)} load into the same release or a newer one only"
        )
    return (f"{where}: it may not know all that the statements ask for",)


def check_live_databases(target: Target, wanted: Wanted) -> None:
    """Raise TargetRefusedError where tables of the live databases cannot change places.

    Tables of databases that replicate themselves cannot go to another database; only Atomic ones
    exchange two in one step.
    """
    names = {wanted.live.table(key)[0] for key in wanted.data}
    for server in target.servers:
        engines = target.engines(server)
        held = target.held(server, names)
        for name in sorted(names & engines.keys()):
            engine = engines[name]
            if engine in {"Replicated", "Shared"} and not wanted.partitions:
                raise TargetRefusedError(
                    f"the database {full_name(name)} of {server.where} has the engine {engine}, "
                    "out of which no table can be moved: load beside instead"
                )
            there = any(key[0] == name for key in held)
            if wanted.mode is RestoreMode.SWAP and engine != EXCHANGING and there:
                raise TargetRefusedError(
                    f"the database {full_name(name)} of {server.where} has the engine {engine}, "
                    f"and only tables of {EXCHANGING} databases change places in one step: load "
                    "beside, or overwrite"
                )
        for key in wanted.data:
            live = held.get(wanted.live.table(key))
            if live is not None and ("View" in live.engine or live.engine == "Dictionary"):
                raise TargetRefusedError(
                    f"{full_name(*wanted.live.table(key))} is a {live.engine} on {server.where}, "
                    "and a table in the backup: drop or rename it"
                )
