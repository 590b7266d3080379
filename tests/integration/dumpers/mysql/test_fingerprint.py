"""A restored database has the fingerprint of what was dumped; what differs shows in it."""

from collections.abc import Mapping

import pytest

from dumpers.contract.fingerprint import Fingerprint, TableDigest
from dumpers.engines.mysql.engine import ENGINE
from dumpers.engines.protocol import FingerprintedStream
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case
from tests.integration.dumpers.mysql.worlds import fill

_MORE = """
CREATE TABLE heap (a INT) ENGINE=MEMORY; INSERT INTO heap VALUES (3), (1), (2);
DELETE FROM heap WHERE a = 1;
CREATE TABLE keyless (a INT, b TEXT); INSERT INTO keyless VALUES (9, 'x;'), (1, 'y\\n'), (9, NULL);
UPDATE keyless SET b = REPEAT('z', 100) WHERE a = 1; DELETE FROM keyless WHERE b = 'x;';
CREATE TABLE `semi;
colon` (a INT); INSERT INTO `semi;
colon` VALUES (1);
"""
_ROWS_LEFT = "DELETE FROM people WHERE id = 8"
REST = "all else"
# One change each, and where a fingerprint shows it; a table's head counts its next number.
CHANGES = {
    "a value, size and rows kept": ("UPDATE `select` SET `a b``c` = 'y'", {"`select`"}),
    "bytes": ("UPDATE people SET picture = X'0002' WHERE id = 0", {"`people`"}),
    "a row": ("DELETE FROM parts WHERE id = 1", {"`parts`"}),
    "all rows": ("DELETE FROM keyless", {"`keyless`", REST}),
    "a table": ("DROP TABLE heap", {"`heap`", REST}),
    "an index": ("ALTER TABLE people DROP KEY born", {REST}),
    "the next number": ("ALTER TABLE log AUTO_INCREMENT = 90000", {REST}),
    "a collation": (
        "ALTER TABLE people MODIFY note TEXT CHARACTER SET utf8mb4 COLLATE utf8mb4_bin",
        {REST},
    ),
    "a trigger": ("DROP TRIGGER watch", {REST}),
    "a function": ("DROP FUNCTION `twice $é`", {REST}),
    "a view": ("DROP VIEW authors", {REST}),
}


def scan(case: Case, database: str, **changes: str) -> Mapping[tuple[str, ...], Fingerprint]:
    """The fingerprints of all streams, by their parts."""
    found = {}
    with ENGINE.open(case.job(database, **changes), Interrupt()) as opened:
        for stream in opened.streams:
            assert isinstance(stream, FingerprintedStream)
            scanner = stream.scanner()
            assert scanner is not None
            with stream.open(Interrupt()) as reader:
                while block := reader.read():
                    scanner.update(block)
            found[stream.part] = scanner.end()
    return found


def copied(case: Case, database: str) -> str:
    with ENGINE.open(case.job(database), Interrupt()) as opened:
        [stream] = opened.streams
        with stream.open(Interrupt()) as reader:
            return case.load(b"".join(iter(reader.read, b"")))


@pytest.mark.parametrize("options", [{}, {"KSNAPSHOT_PER_TABLE": "true"}], ids=["", "per table"])
def test_a_restored_database_has_the_fingerprint_of_the_dumped_one(
    case: Case, options: Mapping[str, str]
) -> None:
    database = case.database()
    fill(case.server, database)
    case.server.sql(_MORE, database)
    case.server.sql(_ROWS_LEFT, database)
    dumped = scan(case, database, **options)
    copy = copied(case, database)
    assert scan(case, copy, **options) == dumped
    tables = {name for found in dumped.values() for name in found.tables}
    assert {"`people`", "`notes`", "`semi;\ncolon`", "`keyless`"} <= tables
    if not options:
        assert shown(case, copy) == {change: places for change, (_, places) in CHANGES.items()}


def shown(case: Case, database: str) -> Mapping[str, set[str]]:
    """Make one change after the other, and find where the fingerprint shows each."""
    [before], found = scan(case, database).values(), {}
    for change, (statement, _) in CHANGES.items():
        case.server.sql(f"SET sql_mode = ''; {statement}", database)
        [after] = scan(case, database).values()
        tables: Mapping[str, TableDigest] = {**before.tables, **after.tables}
        found[change] = {
            name for name in tables if before.tables.get(name) != after.tables.get(name)
        } | ({REST} if before.rest != after.rest else set())
        before = after
    return found
