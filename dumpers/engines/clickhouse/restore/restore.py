"""Restoring a backup into a cluster, in each mode."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dumpers.contract.connection import Connection
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.clickhouse.restore import partitions, staged
from dumpers.engines.clickhouse.restore.catching_up import wait_for_replicas
from dumpers.engines.clickhouse.restore.in_the_way import check_alone, check_empty
from dumpers.engines.clickhouse.restore.loading import Loading
from dumpers.engines.clickhouse.restore.plan import not_in_backup, prepare
from dumpers.engines.clickhouse.schema.names.naming import full_name
from dumpers.engines.clickhouse.server.sql import identifier
from dumpers.engines.names import abbreviate
from dumpers.engines.protocol import WHOLE, Restored, StoredDump
from dumpers.runtime.errors import KsnapshotError
from dumpers.runtime.interrupt import Interrupt

_MARK_BYTES = 4


def load_backup(
    target: Connection,
    pieces: Sequence[StoredDump],
    interrupt: Interrupt,
    request: RestoreRequest = WHOLE,
) -> Restored:
    """Load a backup, or the part that is asked for; of one database into the target's.

    Statements run on every server, rows are loaded into the shard with the number that they came
    from, and the replicas have them when this returns. There is no transaction around any of it:
    what fails leaves the rest, and the error says so. Nothing that was live is touched before all
    rows are there.
    """
    prepared = prepare(target, pieces, interrupt, request)
    wanted = prepared.wanted
    # An empty target is loaded again where it was left, so the same paths and ids have to come out.
    in_place = wanted.mode is RestoreMode.EMPTY and not wanted.partitions
    mark = "" if in_place else secrets.token_hex(_MARK_BYTES)
    loading = Loading(target=prepared.target, wanted=wanted, mark=mark, by=request.by)
    if wanted.is_staged:
        return _restore_staged(loading)
    if in_place:
        with _told("what was loaded before stays"):
            loading.load_in_order(lambda: _check_tables(loading))
            wait_for_replicas(loading.target, staged.beside_databases(loading))
    else:
        names = abbreviate([new for _, new in wanted.creates])
        with _told(f"nothing that was live is touched; {names} may hold a part: forget it"):
            loading.load_in_order(lambda: None)
            loading.check_counts()
            partitions.check_partitions(loading)
            partitions.keep_only(loading)
            wait_for_replicas(loading.target, staged.beside_databases(loading))
    return Restored(notes=tuple(loading.notes), creates=wanted.creates)


def _check_tables(loading: Loading) -> None:
    check_alone(loading.target, loading.wanted)
    check_empty(loading.target, loading.wanted)


def _restore_staged(loading: Loading) -> Restored:
    wanted, target = loading.wanted, loading.target
    beside = staged.beside_databases(loading)
    names = abbreviate([full_name(name) for name in beside])
    with _told(f"nothing that was live is touched; {names} may hold a part: forget it"):
        staged.load_beside(loading)
        partitions.check_partitions(loading)
    if wanted.partitions:
        with _told(f"all of the copies is in {names}: forget it"):
            partitions.move(loading)
            _drop(loading, beside)
        return Restored(notes=tuple(loading.notes), creates=wanted.creates)
    left = not_in_backup(target, wanted)
    with _told(f"the whole backup is in {names}"):
        kept = staged.exchange(loading)
    if left:
        loading.note(
            "these are not in the backup, and stay as they were: "
            f"{abbreviate([full_name(*key) for key in left])}"
        )
    with _told(f"all tables are replaced, and {names} holds what they were: forget it"):
        staged.finish(loading)
        if wanted.mode is RestoreMode.OVERWRITE:
            _drop(loading, beside)
            kept = ()
    return Restored(notes=tuple(loading.notes), creates=wanted.creates, kept=kept)


def _drop(loading: Loading, databases: Sequence[str]) -> None:
    for name in databases:
        loading.target.everywhere(f"DROP DATABASE IF EXISTS {identifier(name)}")


@contextmanager
def _told(text: str) -> Iterator[None]:
    """Put behind every error what the target holds now."""
    try:
        yield
    except KsnapshotError as error:
        raise type(error)(f"{error}; {text}") from error
