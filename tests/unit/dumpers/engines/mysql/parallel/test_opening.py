"""Which databases are read by several streams, by what a server answers."""

from dataclasses import dataclass
from typing import cast

import pytest

from dumpers.contract.connection import Connection
from dumpers.contract.notes import NoteCode
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.conversation import Conversation
from dumpers.engines.mysql.parallel.opening import plan_splits
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.engines.mysql.survey.database import Survey
from dumpers.engines.mysql.survey.schema import Table
from dumpers.engines.mysql.survey.server.standby import is_node
from dumpers.runtime.errors import DUMP_ERRORS
from dumpers.runtime.interrupt import Interrupt

TABLE = Table(name="t", kind="BASE TABLE", engine="InnoDB", transactional=True)
SEQUENCE = Table(name="s", kind="SEQUENCE", engine="InnoDB", transactional=True)
VIEW = Table(name="v", kind="VIEW")


@dataclass
class Answers:
    """What a server of these variables answers: those of sessions are not among its global ones."""

    of_server: dict[str, str]
    of_sessions: dict[str, str]
    is_over: bool = False

    def ask(self, sql: str, *, database: str = "") -> list[str]:
        assert not database
        if sql == "SHOW GRANTS":
            return ["Grants", "GRANT ALL PRIVILEGES ON *.* TO `root`@`%`"]
        known = self.of_server if "GLOBAL" in sql else self.of_server | self.of_sessions
        assert "VARIABLES" in sql
        rows = (f"{name}\t{value}" for name, value in known.items() if f"'{name}'" in sql)
        return ["Variable_name\tValue", *rows]


def server(answers: Answers) -> Server:
    return Server(
        flavour=Flavour.MYSQL,
        version="8.0.36",
        number=(8, 0),
        folds=False,
        connection=Connection(host="db", port=3306, username="u", password="p", database="shop"),
        errors=DUMP_ERRORS,
        client=Program(name="mysql", flavour=Flavour.MYSQL, version="", number=(8, 0)),
        conversation=cast("Conversation", answers),
    )


def survey(*tables: Table) -> Survey:
    return Survey(
        database="shop",
        options=(),
        tables=tables,
        sizes={},
        left_out=(),
        all_tables=True,
        bytewise=False,
        opening="",
        defaults="",
        references={},
        sequences_of=frozenset(),
        notes=(),
    )


def test_a_node_whose_sessions_alone_say_so_is_read_by_one_stream() -> None:
    """As Percona XtraDB Cluster is."""
    node = Answers(
        of_server={"wsrep_provider": "/usr/lib64/galera4/libgalera_smm.so"},
        of_sessions={"wsrep_on": "ON"},
    )
    splits, [note] = plan_splits(
        server(node), [survey(TABLE)], lanes=2, dealt={}, interrupt=Interrupt()
    )
    assert splits == {}
    assert (note.code, note.objects) == (NoteCode.ONE_STREAM, ("shop",))


@pytest.mark.parametrize("tables", [(), (VIEW,), (SEQUENCE,), (SEQUENCE, VIEW)])
def test_a_database_without_rows_is_read_by_one_stream(tables: tuple[Table, ...]) -> None:
    plain = Answers(of_server={}, of_sessions={})
    planned = plan_splits(
        server(plain), [survey(*tables)], lanes=2, dealt={}, interrupt=Interrupt()
    )
    assert planned == ({}, [])


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ({}, False),
        ({"wsrep_on": "ON"}, False),
        ({"wsrep_on": "ON", "wsrep_provider": "none"}, False),
        ({"wsrep_on": "OFF", "wsrep_provider": "/usr/lib/libgalera_smm.so"}, False),
        ({"wsrep_on": "ON", "wsrep_provider": "/usr/lib/libgalera_smm.so"}, True),
    ],
)
def test_nodes(known: dict[str, str], *, expected: bool) -> None:
    assert is_node(known) is expected
