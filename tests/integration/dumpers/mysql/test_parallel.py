"""Dumps by several streams hold what a dump by one holds, and load as it does."""

import gzip
import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.drilling.protocol import DrilledObject
from dumpers.engines.mysql.drill.compare import compare
from dumpers.engines.mysql.engine import ENGINE, open_dealt
from dumpers.engines.mysql.output.fingerprint import DUMP_FORM
from dumpers.engines.protocol import StoredDump
from dumpers.engines.script_scanner import ScriptScanner
from dumpers.runtime.errors import (
    ConfigurationError,
    SourceFailedError,
    SourceRefusedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case, dump, dump_pieces, noted
from tests.integration.dumpers.mysql.worlds import fill, fingerprint
from tests.paths import REPOSITORY
from tests.testbed.databases.mysql import quoted

_GUIDE = (REPOSITORY / "docs/restore.md").read_text()
SEVERAL = {"KSNAPSHOT_PARALLELISM": "3"}
# A table that is large beside all others, and one without a key.
_LARGE = """
CREATE TABLE big (id BIGINT PRIMARY KEY, v VARCHAR(255));
INSERT INTO big SELECT @b := @b + 13, REPEAT('x', 200)
  FROM (SELECT @b := -5000) zero, notes a, notes b, people c LIMIT 20000;
CREATE TABLE keyless (a VARCHAR(255));
INSERT INTO keyless SELECT v FROM big LIMIT 4000;
CREATE TABLE worded (w VARCHAR(20) PRIMARY KEY, v VARCHAR(255));
INSERT INTO worded SELECT id, v FROM big LIMIT 4000;
CREATE TABLE hollow (id INT PRIMARY KEY);
ANALYZE TABLE big, keyless, worded;
"""


def filled(case: Case) -> str:
    database = case.database()
    fill(case.server, database)
    case.server.sql(_LARGE, database)
    return database


def text_of(piece: StoredDump) -> bytes:
    with piece.open() as reader:
        return b"".join(iter(reader.read, b""))


def digests(case: Case, database: str) -> dict[str, object]:
    """The fingerprint of a dump by one stream."""
    _, [(_, sql)] = dump(case.job(database))
    scanner = ScriptScanner(DUMP_FORM)
    scanner.update(sql.replace(database.encode(), b"DATABASE"))
    found = scanner.end()
    return {"rest": found.rest, "tables": dict(found.tables)}


def test_the_zoo(case: Case) -> None:
    database = filled(case)
    pieces = dump_pieces(case.job(database, **SEVERAL))
    names = [part for piece in pieces for part in piece.part]
    assert names == sorted(names)
    assert names[0] == "1-tables"
    assert names[-2:] == ["3-triggers", "4-programs"]
    rows = {
        table: [piece for piece in pieces if table in piece.metadata.get("tables", ())]
        for table in ("big", "keyless", "worded", "hollow", "select")
    }
    assert len(rows["big"]) > 1
    assert {table: len(found) for table, found in rows.items() if table != "big"} == {
        **dict.fromkeys(("keyless", "worded", "hollow", "select"), 1)
    }
    # Nothing of ours is in it: it loads with the stock client, in this order.
    texts = [text_of(piece) for piece in pieces]
    assert b"ksnapshot" not in b"".join(texts)
    by_hand = case.load(b"".join(texts))
    assert digests(case, by_hand) == digests(case, database)
    copy = case.database("copy")
    assert ENGINE.restore(case.connection(copy), pieces[::-1], Interrupt()).notes == ()
    assert fingerprint(case.server, copy) == fingerprint(case.server, database)


def test_a_drill_compares_object_by_object(case: Case) -> None:
    database = filled(case)
    job = case.job(database, **SEVERAL)
    pieces = dump_pieces(job)
    objects = []
    for piece in pieces:
        scanner = ScriptScanner(DUMP_FORM)
        scanner.update(text_of(piece))
        objects.append(
            DrilledObject(
                stored=piece, fingerprint=scanner.end(), server_version="", tool_version=""
            )
        )
    connection = case.connection(database)
    found = compare(open_dealt, connection, objects, job.options, Interrupt())
    assert found.faults == ()
    assert all(table.good for table in found.tables)
    assert {"big", "keyless", "people"} <= {table.name.split(".")[-1] for table in found.tables}
    case.server.sql("UPDATE big SET v = 'y' ORDER BY id DESC LIMIT 1", database)
    found = compare(open_dealt, connection, objects, job.options, Interrupt())
    assert {table.name for table in found.tables if not table.good} == {f"{database}.big"}


@pytest.fixture
def backup(case: Case) -> tuple[str, list[StoredDump]]:
    database = filled(case)
    # A table with triggers, and views and programs, would stand against a swap.
    case.server.sql(
        "DROP TRIGGER watch; DROP VIEW doubled, authors; DROP EVENT nightly; DROP PROCEDURE tidy;"
        "DROP FUNCTION `twice $é`; DROP VIEW `sight $é`",
        database,
    )
    return database, dump_pieces(case.job(database, **SEVERAL))


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_other_ways_to_restore(case: Case, backup: tuple[str, list[StoredDump]]) -> None:
    database, pieces = backup
    assert "3-triggers" not in {part for piece in pieces for part in piece.part}
    live, all_rows = case.connection(database), "SELECT COUNT(*) FROM big"
    case.server.sql("DELETE FROM big WHERE id > 0", database)
    left = case.server.sql(all_rows, database)
    swap = RestoreRequest(mode=RestoreMode.SWAP)
    plan = ENGINE.plan_restore(live, pieces, Interrupt(), swap)
    assert plan.size == sum(piece.size for piece in pieces)
    [(_, kept)] = ENGINE.restore(live, pieces, Interrupt(), swap).kept
    assert case.server.sql(all_rows, database) == "20000"
    assert case.server.sql(all_rows, kept) == left
    ENGINE.forget(live, [kept], Interrupt())
    case.server.sql("DROP TABLE big", database)
    ENGINE.restore(live, pieces, Interrupt(), RestoreRequest(mode=RestoreMode.OVERWRITE))
    assert case.server.sql(all_rows, database) == "20000"
    beside = RestoreRequest(mode=RestoreMode.BESIDE)
    [(_, made)] = ENGINE.restore(live, pieces, Interrupt(), beside).creates
    case.made.append(made)
    assert digests(case, made) == digests(case, database)
    copy = case.database("copy")
    chosen = RestoreRequest(tables=("big", "hollow"))
    ENGINE.restore(case.connection(copy), pieces, Interrupt(), chosen)
    assert case.server.sql("SHOW TABLES", copy).splitlines() == ["big", "hollow"]
    assert case.server.sql(all_rows, copy) == "20000"
    with pytest.raises(TargetRefusedError, match="not all of them are there"):
        ENGINE.restore(case.connection(case.database("copy")), pieces[:-1], Interrupt())


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_chosen_tables_of_several_databases(case: Case) -> None:
    one, two = filled(case), case.database("two")
    case.server.sql("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", two)
    job = case.job(
        one, KSNAPSHOT_DATABASES=f"{one},{two}", KSNAPSHOT_EXCLUDE_TABLES="select", **SEVERAL
    )
    pieces = dump_pieces(job)
    assert {piece.name for piece in pieces} == {one, two}
    for name in (one, two):
        copy = case.database("copy")
        own = [piece for piece in pieces if piece.name == name]
        ENGINE.restore(case.connection(copy), own, Interrupt())
        case.server.sql("DROP TABLE IF EXISTS `select`", name)
        assert digests(case, copy) == digests(case, name)


def test_without_the_right_to_lock(case: Case) -> None:
    database = filled(case)
    user = case.user(f"SELECT, SHOW VIEW, TRIGGER, EVENT, EXECUTE ON {quoted(database)}.*")
    login = {"MYSQL_USERNAME": user, "MYSQL_PASSWORD": "pw"}
    source, found = dump(case.job(database, **login, **SEVERAL))
    assert len(found) == 1
    assert noted(source)[NoteCode.ONE_STREAM] == (database,)
    case.server.sql(f"GRANT LOCK TABLES ON {quoted(database)}.* TO {user}@'%'")
    source, found = dump(case.job(database, **login, **SEVERAL))
    assert len(found) > 3
    assert NoteCode.ONE_STREAM not in noted(source)


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_one_stream_is_what_it_was(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE VIEW v AS SELECT 1 AS a", database)
    for streams in ("", "1", "4"):
        source, found = dump(case.job(database, KSNAPSHOT_PARALLELISM=streams or "1"))
        assert len(found) == 1
        assert NoteCode.ONE_STREAM not in noted(source)
    case.server.sql("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", database)
    whole = digests(case, database)
    source, found = dump(case.job(database, KSNAPSHOT_PARALLELISM="1"))
    assert len(found) == 1
    scanner = ScriptScanner(DUMP_FORM)
    scanner.update(found[0][1].replace(database.encode(), b"DATABASE"))
    assert scanner.end().rest == whole["rest"]


@pytest.mark.parametrize("case", ["mysql-8.0"], indirect=True)
@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"KSNAPSHOT_PER_TABLE": "true"}, "one object per table"),
        ({"MYSQLDUMP_OPTIONS": "--where=1"}, "--where"),
        ({"MYSQLDUMP_OPTIONS": "-w 1"}, "--where"),
        ({"MYSQLDUMP_OPTIONS": "--no-data"}, "--no-data"),
        ({"MYSQLDUMP_OPTIONS": "--skip-single-transaction"}, "--skip-single-transaction"),
        ({"MYSQLDUMP_OPTIONS": "--set-gtid-purged=ON"}, "set-gtid-purged"),
    ],
)
def test_what_only_one_stream_can_do(case: Case, changes: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        dump(case.job(case.database(), **SEVERAL, **changes))


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_too_few_connections(case: Case) -> None:
    database = filled(case)
    user = case.user(f"ALL ON {quoted(database)}.*")
    login = {"MYSQL_USERNAME": user, "MYSQL_PASSWORD": "pw"}
    for limit, kind in (("4", SourceRefusedError), ("0", None)):
        case.server.sql(f"ALTER USER {user}@'%' WITH MAX_USER_CONNECTIONS {limit}")
        if kind is None:
            dump(case.job(database, **login, **SEVERAL))
            continue
        with pytest.raises(kind, match=f"the account has {limit}: raise max_user_connections"):
            dump(case.job(database, **login, **SEVERAL))
    before = case.server.sql("SELECT @@global.max_connections")
    used = int(case.server.sql("SHOW GLOBAL STATUS LIKE 'Threads_connected'").split("\t")[1])
    case.server.sql(f"SET GLOBAL max_connections = {used + 10}")
    try:
        with pytest.raises((SourceFailedError, SourceRefusedError), match="connections at a time"):
            dump(case.job(database, KSNAPSHOT_PARALLELISM="16"))
    finally:
        case.server.sql(f"SET GLOBAL max_connections = {before}")


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_the_guide_loads_them_with_stock_tools(
    case: Case, backup: tuple[str, list[StoredDump]], tmp_path: Path
) -> None:
    database, pieces = backup
    section = _GUIDE.partition("### Several objects of one MySQL database")[2]
    console = section.partition("```console\n")[2].partition("```")[0]
    script = "\n".join(line.removeprefix("$ ").removeprefix("> ") for line in console.splitlines())
    copy = case.database("copy")
    for before, now in (
        ('aws s3 cp "s3://BUCKET/$key" - | age -d -i key.txt', 'cat "$key"'),
        ('"shop"', f'"{database}"'),
        (
            "mysql --binary-mode",
            f"{case.server.client} --no-defaults --binary-mode "
            f"--host={case.server.host} --port={case.server.port} --user={case.server.user} "
            + ("--skip-ssl" if case.server.is_mariadb else ""),
        ),
        (" restored", f" {copy}"),
    ):
        assert before in script
        script = script.replace(before, now)
    listed = []
    for piece in pieces:
        key = f"{piece.part[0]}.sql.gz"
        (tmp_path / key).write_bytes(gzip.compress(text_of(piece)))
        listed.append({"name": piece.name, "key": key})
    (tmp_path / "manifest.json").write_text(json.dumps({"objects": listed}))
    done = subprocess.run(
        ["bash", "-c", script],
        env={**os.environ, "MYSQL_PWD": case.server.password},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert not re.search("failed|ERROR", done.stderr), done.stderr
    assert digests(case, copy) == digests(case, database)
