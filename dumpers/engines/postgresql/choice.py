"""What of a database is asked for, by annotations and pg_dump's own options together."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from dumpers.contract.connection import DumpSource
from dumpers.engines.postgresql.catalog.patterns import Pattern, parse_pattern
from dumpers.engines.postgresql.names import split_names
from dumpers.engines.postgresql.spec import EXCLUDE_SCHEMAS, PG_DUMP_OPTIONS, SCHEMAS
from dumpers.engines.shared_options import EXCLUDE_TABLES, TABLES
from dumpers.runtime.errors import ConfigurationError

_SHORT = {
    "-a": "--data-only",
    "-b": "--large-objects",
    "-B": "--no-large-objects",
    "-e": "--extension",
    "-E": "--encoding",
    "-n": "--schema",
    "-N": "--exclude-schema",
    "-s": "--schema-only",
    "-t": "--table",
    "-T": "--exclude-table",
}
_WITHOUT_ROWS = {"--schema-only", "--no-data", "--statistics-only"}
_LARGE_OBJECTS = {"--large-objects", "--blobs", "--no-large-objects", "--no-blobs"}
_EXTENSIONS = {"--extension", "--exclude-extension"}
# From these majors of pg_dump on.
CHILDREN_SINCE, EXTENSION_SINCE = 16, 14


@dataclass(frozen=True, slots=True, kw_only=True)
class Tables:
    """Patterns of tables; those `with_children` stand for partitions and inheriting tables, too."""

    with_children: tuple[Pattern, ...] = ()
    alone: tuple[Pattern, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.with_children or self.alone)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is dumped of a database: all of it where nothing is given.

    `foreign_servers` are those whose rows are asked for, `role` is the one to read as, or empty.
    `large_objects` and `extensions` mean that options decide about them, `rows` and `definitions`
    that these are dumped, `unlogged_rows` that unlogged tables' are, too. `lock_timeout` and
    `encoding` are what options say, empty where they do not.
    """

    tables: Tables = Tables()
    exclude_tables: Tables = Tables()
    schemas: tuple[Pattern, ...] = ()
    exclude_schemas: tuple[Pattern, ...] = ()
    exclude_rows: Tables = Tables()
    foreign_servers: tuple[Pattern, ...] = ()
    large_objects: bool = False
    extensions: bool = False
    rows: bool = True
    definitions: bool = True
    unlogged_rows: bool = True
    subscriptions: bool = True
    row_security: bool = False
    lock_timeout: str = ""
    role: str = ""
    encoding: str = ""

    @property
    def is_partial(self) -> bool:
        """Whether tables or schemas are chosen: then only these are dumped, and nothing else."""
        return bool(self.tables or self.schemas)

    @property
    def has_limits(self) -> bool:
        """Whether anything is chosen or left out."""
        return bool(self.is_partial or self.exclude_tables or self.exclude_schemas)


def read_choice(job: DumpSource, given: Sequence[tuple[str, str]]) -> Choice:
    """Join the annotations' lists with pg_dump's own options; ConfigurationError where they clash.

    `given` are options as getopt returns them.
    """
    own: dict[str, list[str]] = {}
    for name, value in given:
        own.setdefault(_SHORT.get(name, name), []).append(value)

    def listed(variable: str) -> tuple[Pattern, ...]:
        text = job.options.get(variable, "")
        return tuple(map(parse_pattern, split_names(variable, text, unquote=False)))

    def patterns(*names: str) -> tuple[Pattern, ...]:
        return tuple(parse_pattern(value) for name in names for value in own.get(name, ()))

    choice = Choice(
        tables=Tables(
            with_children=(*listed(TABLES.variable), *patterns("--table-and-children")),
            alone=patterns("--table"),
        ),
        exclude_tables=Tables(
            with_children=(
                *listed(EXCLUDE_TABLES.variable),
                *patterns("--exclude-table-and-children"),
            ),
            alone=patterns("--exclude-table"),
        ),
        schemas=(*listed(SCHEMAS.variable), *patterns("--schema")),
        exclude_schemas=(*listed(EXCLUDE_SCHEMAS.variable), *patterns("--exclude-schema")),
        exclude_rows=Tables(
            with_children=patterns("--exclude-table-data-and-children"),
            alone=patterns("--exclude-table-data"),
        ),
        foreign_servers=patterns("--include-foreign-data"),
        large_objects=bool(_LARGE_OBJECTS & own.keys()),
        extensions=bool(_EXTENSIONS & own.keys()),
        rows=not _WITHOUT_ROWS & own.keys() and _has_section(own, "data"),
        definitions="--data-only" not in own and _has_section(own, "pre-data"),
        unlogged_rows="--no-unlogged-table-data" not in own,
        subscriptions="--no-subscriptions" not in own,
        row_security="--enable-row-security" in own,
        lock_timeout=own.get("--lock-wait-timeout", [""])[-1],
        role=own.get("--role", [""])[-1],
        encoding=own.get("--encoding", [""])[-1].upper(),
    )
    if choice.tables and choice.schemas:
        # pg_dump would take the tables only, without a word.
        raise ConfigurationError(
            f"tables and schemas are both chosen ({TABLES.variable}, {SCHEMAS.variable} or "
            f"{PG_DUMP_OPTIONS.variable}): pg_dump would dump the tables only. Name the tables "
            "with their schema, as app.orders or app.*, or choose schemas and leave tables out "
            "by exclude-tables"
        )
    return choice


def choice_arguments(job: DumpSource, choice: Choice, *, major: int) -> list[str]:
    """The annotations' part of a choice as arguments of a pg_dump of this major version.

    Before 16 pg_dump has no option for a table's children: they have to be named besides.
    """
    children = "-and-children" if major >= CHILDREN_SINCE else ""
    options = {
        TABLES.variable: f"--table{children}",
        EXCLUDE_TABLES.variable: f"--exclude-table{children}",
        SCHEMAS.variable: "--schema",
        EXCLUDE_SCHEMAS.variable: "--exclude-schema",
    }
    arguments = [
        f"{option}={pattern}"
        for variable, option in options.items()
        for pattern in split_names(variable, job.options.get(variable, ""), unquote=False)
    ]
    if choice.tables:
        # Where tables are chosen, pg_dump takes no notice of schemas that are left out.
        arguments += [f"--exclude-table={pattern.text}.*" for pattern in choice.exclude_schemas]
    return arguments


def as_told(choice: Choice, added: Sequence[str], *, major: int) -> Choice:
    """The choice as a pg_dump of this major version has it by its arguments.

    `added` are those of the survey, which before 16 name tables' children: one that has another
    name since is none of them.
    """
    if major >= CHILDREN_SINCE:
        return choice

    def told(tables: Tables, option: str) -> Tables:
        named = [text.removeprefix(option) for text in added if text.startswith(option)]
        return Tables(alone=(*tables.with_children, *tables.alone, *map(parse_pattern, named)))

    return replace(
        choice,
        tables=told(choice.tables, "--table="),
        exclude_tables=told(choice.exclude_tables, "--exclude-table="),
    )


def _has_section(own: Mapping[str, Sequence[str]], section: str) -> bool:
    return section in own.get("--section", [section])
