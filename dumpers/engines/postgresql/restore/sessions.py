"""Loading the dump of one database by several sessions: rows, then indexes, side by side.

Nobody uses the database yet. Each part is a transaction of its own, so that the database is whole
only once all of it was loaded, and has to be dropped where anything fails.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

from dumpers.engines.postgresql.clients import Session
from dumpers.engines.postgresql.restore.belonging import Name
from dumpers.engines.postgresql.restore.load import feed, make_token, open_script
from dumpers.engines.postgresql.restore.script.indexes import Definition, SplitDump, deal_out
from dumpers.engines.postgresql.restore.script.toc import Toc
from dumpers.engines.postgresql.restore.script.transaction import in_one_transaction
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields
from dumpers.runtime.threads import map_parallel

T = TypeVar("T")

_LOG = logging.getLogger(__name__)

_SIZES = (
    "SELECT n.nspname, c.relname, pg_catalog.pg_relation_size(c.oid) "
    "FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace "
    "WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_'"
)


def load_by_sessions(
    session: Session,
    parts: Sequence[StoredDump],
    interrupt: Interrupt,
    *,
    server: int,
    sessions: int,
) -> None:
    """Load a database from its parts, or from its only one, by as many sessions at a time.

    Several parts are, in this order, definitions, rows, and what is behind them. Raises what `load`
    raises; all sessions have ended by then.
    """
    scope = interrupt.child()

    def side_by_side(work: Callable[[T], None], items: Sequence[T]) -> None:
        map_parallel(
            work,
            items,
            at_a_time=sessions,
            name="session",
            stop=lambda: scope.cancel("the failure of another session"),
        )

    token = make_token(session, interrupt)

    def load(part: StoredDump) -> None:
        with open_script(session, part, scope, server=server) as reader:
            feed(session, in_one_transaction(reader), scope, server=server, token=token)

    *before, last = parts
    if before:
        load(before[0])
        side_by_side(load, before[1:])
    with open_script(session, last, scope, server=server) as reader:
        dump = SplitDump(toc=Toc(reader))
        feed(session, dump.first(), scope, server=server, token=token)
        rest = dump.rest()
    made = set[int]()

    def build(job: Sequence[Definition]) -> None:
        try:
            feed(session, dump.script(job), scope, server=server, token=token)
        except (TargetRefusedError, TargetFailedError) as error:
            # It may need one that is not there yet. Made again in its place, it says so itself.
            scope.check()
            _LOG.warning(
                "an index is built again behind the others",
                extra=fields(count=len(job), name=job[0].entry.name, why=str(error)),
            )
            return
        made.update(map(id, job))

    side_by_side(build, deal_out(rest, _sizes(session, scope)))
    left = [definition for definition in rest if id(definition) not in made]
    feed(session, dump.script(left), scope, server=server, token=token)


def _sizes(session: Session, interrupt: Interrupt) -> Mapping[Name, int]:
    return {(schema, name): int(size) for schema, name, size in session.ask(_SIZES, interrupt)}
