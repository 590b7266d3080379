"""What of a database its own streams hold, and what the one of all others."""

import pytest

from dumpers.engines.mysql.output.reading import DumpTool
from dumpers.engines.mysql.parallel.plan import Share
from dumpers.engines.mysql.parallel.streams import Split, dealt_tables, triggered_tables
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.engines.mysql.survey.schema import Table
from tests.unit.dumpers.engines.mysql.parallel.test_opening import (
    SEQUENCE,
    TABLE,
    VIEW,
    Answers,
    server,
    survey,
)

NEWER = Table(name="newer", kind="BASE TABLE", engine="InnoDB", transactional=True)
SPLIT = Split(shares=(Share(tables=("t",), size=1),), triggered=("newer", "t"))


def tool(*own: str) -> DumpTool:
    program = Program(name="mysqldump", flavour=Flavour.MYSQL, version="", number=(8, 0))
    return DumpTool(program=program, server=server(Answers(of_server={}, of_sessions={})), own=own)


def test_a_table_that_is_newer_than_a_backup_is_not_dealt_out_where_it_is_drilled() -> None:
    found = survey(NEWER, TABLE, VIEW, SEQUENCE)
    assert dealt_tables(found, SPLIT) == [SEQUENCE, TABLE]
    assert triggered_tables(tool(), SPLIT) == ["t"]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        (("--skip-triggers",), []),
        (("--triggers=0",), []),
        (("--skip-triggers", "--triggers"), ["t"]),
        (("--skip-definer", "--where=--skip-triggers"), ["t"]),
    ],
)
def test_triggers_may_be_left_out(own: tuple[str, ...], expected: list[str]) -> None:
    assert triggered_tables(tool(*own), SPLIT) == expected
