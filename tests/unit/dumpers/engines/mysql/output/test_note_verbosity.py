"""Which servers refuse NOTE_VERBOSITY, and dumps without it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.connection import Connection
from dumpers.engines.mysql.client import Server
from dumpers.engines.mysql.output.note_verbosity import (
    WithoutNoteVerbosity,
    refuses_note_verbosity,
)
from dumpers.engines.mysql.programs import Flavour, Program
from dumpers.runtime.errors import DUMP_ERRORS
from dumpers.streams.reader import IterReader

FIRST = b"/*M!100616 SET @OLD_NOTE_VERBOSITY=@@NOTE_VERBOSITY, NOTE_VERBOSITY=0 */;\n"
LAST = b"/*M!100616 SET NOTE_VERBOSITY=@OLD_NOTE_VERBOSITY */;\n"


def server(version: str, flavour: Flavour = Flavour.MARIADB) -> Server:
    major, minor, *_ = version.split(".")
    return Server(
        flavour=flavour,
        version=version,
        number=(int(major), int(minor)),
        folds=False,
        connection=Connection(host="x", port=1),
        errors=DUMP_ERRORS,
        client=Program(name="mariadb", flavour=flavour, version="", number=(11, 4)),
    )


@pytest.mark.parametrize(
    ("version", "refuses"),
    [
        ("10.5.20-MariaDB", False),
        ("10.6.15-MariaDB", False),
        ("10.6.16-MariaDB", False),
        ("10.7.1-MariaDB", True),
        ("10.9.8-MariaDB", True),
        ("10.10.6-MariaDB", True),
        ("10.10.7-MariaDB", False),
        ("10.11.5-MariaDB-1:10.11.5+maria~ubu2204", True),
        ("10.11.6-MariaDB-0+deb12u1", False),
        ("11.0.3-MariaDB", True),
        ("11.1.3-MariaDB", False),
        ("11.2.1-MariaDB", True),
        ("11.4.5-MariaDB", False),
    ],
)
def test_releases_that_refuse_it(version: str, *, refuses: bool) -> None:
    assert refuses_note_verbosity(server(version)) == refuses


def test_mysql_runs_no_line_of_mariadb() -> None:
    assert not refuses_note_verbosity(server("8.0.40", Flavour.MYSQL))


@given(
    rows=st.integers(min_value=0, max_value=4000),
    cuts=st.lists(st.integers(min_value=1, max_value=9000), min_size=1, max_size=8),
    size=st.sampled_from([-1, 1 << 10, 1 << 17]),
)
def test_all_but_the_two_lines_comes_through(rows: int, cuts: list[int], size: int) -> None:
    told = b"INSERT INTO `t` VALUES ('" + FIRST.replace(b"\n", b"\\n") + b"');\n"
    body = b"-- MariaDB dump\n%sCREATE TABLE t (a int);\n" + told * rows + b"%s-- Dump completed\n"
    dump = body % (FIRST, LAST)
    blocks: list[bytes] = []
    at = 0
    while at < len(dump):
        step = cuts[len(blocks) % len(cuts)]
        blocks.append(dump[at : at + step])
        at += step
    reader = WithoutNoteVerbosity(IterReader(iter(blocks)))
    assert b"".join(iter(lambda: reader.read(size), b"")) == body % (b"", b"")
