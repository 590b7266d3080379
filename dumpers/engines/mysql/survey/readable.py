"""Which of a database's tables and views can be read, tried as the dump tool will."""

from collections.abc import Callable, Collection, Mapping, Sequence

from dumpers.engines.mysql.client import Server, identifier, literal
from dumpers.engines.mysql.errors import NO_RIGHT
from dumpers.engines.mysql.programs import Flavour
from dumpers.engines.mysql.survey.probes import Refusal, attempt
from dumpers.engines.mysql.survey.schema import ELSEWHERE, MERGED, Table
from dumpers.runtime.interrupt import Interrupt

# Tables that one statement tries.
_TRIED_AT_ONCE = 100
# Tables that one statement lists: as an argument it may have 128 KiB, a name 64 letters of 4 bytes.
_LISTED_AT_ONCE = 400


def check_folder(server: Server, database: str, *, interrupt: Interrupt) -> None:
    """Raise the server's refusal for a database that looks empty as its folder cannot be read."""
    [refusal] = attempt(server, ["SHOW TABLES"], database=database, interrupt=interrupt)
    if refusal is not None:
        raise server.errors.refused(
            f"the server cannot read the database {database!r}: {refusal.words}"
        )


def check_named(server: Server, database: str, refused: Mapping[str, Refusal]) -> None:
    """Raise the server's refusal for the first of what was asked for and cannot be read."""
    for name, refusal in refused.items():
        raise server.errors.refused(
            f"{name!r} of the database {database!r} was asked for and cannot be read: "
            f"{refusal.words}; repair it, or take it out of the list"
        )


def broken_views(
    server: Server, database: str, views: Sequence[Table], *, interrupt: Interrupt
) -> dict[str, Refusal]:
    """The views that the dump tool would end at, with the server's words."""

    def fields(view: str) -> str:
        # The tool's own question, without an answer in rows.
        return f"SHOW FIELDS FROM {view} LIKE ''"

    return _refused(server, database, views, fields, interrupt=interrupt)


def unresolved_views(
    server: Server, database: str, views: Sequence[Table], *, interrupt: Interrupt
) -> dict[str, Refusal]:
    """The views that can be dumped and not used, as their definer is gone or may not read."""

    def prepared(view: str) -> str:
        return "PREPARE tried FROM " + literal(f"SELECT 1 FROM {view}")  # noqa: S608  quoted

    return _refused(server, database, views, prepared, interrupt=interrupt)


def unreadable_tables(
    server: Server,
    database: str,
    tables: Sequence[Table],
    sizes: Mapping[str, int],
    *,
    sound: Collection[str],
    may_read: Callable[[Table], bool],
    interrupt: Interrupt,
) -> dict[str, Refusal]:
    """The tables that the server cannot open or this account may not read, with its words.

    Those are not tried that InnoDB lists as `sound`, nor MariaDB's tables with transactions whose
    size is known, which takes opening them: to read a row of each would take as long as a tenth of
    their dump.
    """
    elsewhere = ELSEWHERE[server.flavour] | MERGED
    far = [table for table in tables if table.engine.upper() in elsewhere or not table.loaded]
    found = _refused(server, database, far, "SHOW CREATE TABLE {}".format, interrupt=interrupt)
    apart = {table.name for table in far}
    near = [table for table in tables if table.name not in apart]
    doubtful, usual = [], []
    for table in near:
        if not may_read(table) or not table.engine:
            doubtful.append(table)
        elif table.name not in sound and (
            server.flavour is Flavour.MYSQL or not table.transactional or not sizes.get(table.name)
        ):
            usual.append(table)
    groups = [usual[at : at + _TRIED_AT_ONCE] for at in range(0, len(usual), _TRIED_AT_ONCE)]
    together = [_one_of_each(group) for group in groups]
    answers = attempt(server, together, database=database, interrupt=interrupt)
    for group, refusal in zip(groups, answers, strict=True):
        if refusal is not None:
            doubtful += group
    one_row = "SELECT COUNT(*) FROM (SELECT * FROM {} LIMIT 1) AS tried".format
    return found | _refused(server, database, doubtful, one_row, interrupt=interrupt)


def cut_tables(
    server: Server, database: str, tables: Sequence[Table], *, interrupt: Interrupt
) -> dict[str, Refusal]:
    """MariaDB's tables whose file of rows was cut off: it reads what is left of them as if whole.

    So it is with MyISAM's rows of a fixed length only; all others give an error.
    """
    names = [table.name for table in tables if table.engine == "MyISAM"]
    if server.flavour is not Flavour.MARIADB or not names:
        return {}
    fixed: list[tuple[str, ...]] = []
    for start in range(0, len(names), _LISTED_AT_ONCE):
        listed = ", ".join(map(literal, names[start : start + _LISTED_AT_ONCE]))
        fixed += server.rows(
            "table_name",
            "FROM information_schema.tables WHERE table_schema = DATABASE() "
            f"AND table_name IN ({listed}) AND row_format = 'Fixed'",
            database=database,
            interrupt=interrupt,
        )
    found: dict[str, Refusal] = {}
    for (name,) in fixed:
        rows = server.raw(
            f"CHECK TABLE {identifier(name)} QUICK", database=database, interrupt=interrupt
        )
        said = [row[-1] for row in rows if "error" in row]
        if said:
            found[name] = Refusal(numbers=frozenset(), words="; ".join(said))
    return found


def is_for_want_of_a_right(refusal: Refusal) -> bool:
    """Whether it is the account that is at fault, and not the table or view."""
    return bool(refusal.numbers & NO_RIGHT)


def _one_of_each(tables: Sequence[Table]) -> str:
    """The statement that reads a row of each of these tables."""
    return " UNION ALL ".join(
        f"(SELECT 1 FROM {identifier(table.name)} LIMIT 1)"  # noqa: S608  quoted
        for table in tables
    )


def _refused(
    server: Server,
    database: str,
    tables: Sequence[Table],
    question: Callable[[str], str],
    *,
    interrupt: Interrupt,
) -> dict[str, Refusal]:
    statements = [question(identifier(table.name)) for table in tables]
    answers = attempt(server, statements, database=database, interrupt=interrupt)
    return {
        table.name: answer
        for table, answer in zip(tables, answers, strict=True)
        if answer is not None
    }
