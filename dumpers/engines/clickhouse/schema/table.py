"""Tables and columns, as a server's system tables have them."""

from dataclasses import dataclass

SYSTEM_DATABASES = frozenset(
    ("system", "information_schema", "INFORMATION_SCHEMA", "_temporary_and_external_tables")
)
_PLAIN = frozenset(("", "DEFAULT"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """A row of system.columns; `expression` is the default's."""

    name: str
    type: str
    default_kind: str = ""
    expression: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A row of system.tables; what older servers do not know is empty or None.

    `needs` are the tables that have to exist before it, by database and name: its
    loading_dependencies, and for a materialized view those that name it in their dependencies.
    `loads_computed`: an insert into it may have values of MATERIALIZED columns.
    """

    database: str
    name: str
    uuid: str = ""
    engine: str
    engine_full: str = ""
    create: str = ""
    is_temporary: bool = False
    total_bytes: int | None = None
    total_rows: int | None = None
    columns: tuple[Column, ...] = ()
    needs: frozenset[tuple[str, str]] = frozenset()
    loads_computed: bool = False

    @property
    def full_name(self) -> str:
        """Database and name, for people and for patterns."""
        return f"{self.database}.{self.name}"

    @property
    def key(self) -> tuple[str, str]:
        """Database and name."""
        return self.database, self.name

    @property
    def plain_columns(self) -> tuple[str, ...]:
        """The names of the columns that every release reads and takes in an insert."""
        return tuple(column.name for column in self.columns if column.default_kind in _PLAIN)

    @property
    def stored_columns(self) -> tuple[str, ...]:
        """The names of the columns that a dump reads and a restore writes."""
        if not self.loads_computed:
            return self.plain_columns
        return tuple(
            column.name
            for column in self.columns
            if column.default_kind in _PLAIN or column.default_kind == "MATERIALIZED"
        )
