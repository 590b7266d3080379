"""Reading a server's databases, and a database's tables and views."""

from dataclasses import dataclass

from dumpers.engines.mysql.client import Server
from dumpers.runtime.interrupt import Interrupt

SYSTEM_DATABASES = frozenset(("information_schema", "performance_schema", "mysql", "sys"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table, view or sequence; `size` is in bytes, as the server estimates it."""

    name: str
    kind: str
    engine: str
    transactional: bool
    size: int

    @property
    def is_view(self) -> bool:
        """Whether this is a view, which has no rows of its own."""
        return self.kind.endswith("VIEW")

    @property
    def is_sequence(self) -> bool:
        """Whether this is a sequence of MariaDB."""
        return self.kind == "SEQUENCE"


def databases(server: Server, *, interrupt: Interrupt) -> tuple[str, ...]:
    """List the databases that the account sees, without the server's own."""
    found = server.rows(
        "schema_name", "FROM information_schema.schemata ORDER BY schema_name", interrupt=interrupt
    )
    return tuple(name for (name,) in found if name.lower() not in SYSTEM_DATABASES)


def tables(server: Server, database: str, *, interrupt: Interrupt) -> list[Table]:
    """List all tables and views of a database that the account sees."""
    rows = server.rows(
        "t.table_name, t.table_type, IFNULL(t.engine, ''), IFNULL(e.transactions, ''), "
        "IFNULL(t.data_length, 0)",
        "FROM information_schema.tables t LEFT JOIN information_schema.engines e "
        "ON e.engine = t.engine WHERE t.table_schema = DATABASE() ORDER BY t.table_name",
        database=database,
        interrupt=interrupt,
    )
    return [
        Table(
            name=name,
            kind=kind,
            engine=engine,
            transactional=transactional == "YES",
            size=int(size),
        )
        for name, kind, engine, transactional, size in rows
    ]
