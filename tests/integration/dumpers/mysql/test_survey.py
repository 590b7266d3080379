"""What cannot be read is left out and named; what was asked for by its name fails the run."""

import os

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.runtime.errors import SourceRefusedError
from tests.integration.dumpers.mysql.conftest import Case, dump, noted
from tests.testbed.databases.mysql import NEWEST, quoted

_VIEWS = r"""
CREATE TABLE precious (a INT, b INT); INSERT INTO precious VALUES (1, 2);
CREATE TABLE gone (a INT, b INT); CREATE TABLE cut (a INT, b INT);
CREATE FUNCTION f(x INT) RETURNS INT DETERMINISTIC RETURN x;
CREATE VIEW on_table AS SELECT a, b FROM gone;
CREATE VIEW on_view AS SELECT a FROM on_table;
CREATE VIEW on_column AS SELECT a, b FROM cut;
CREATE VIEW on_function AS SELECT f(a) AS x FROM precious;
CREATE VIEW `it's {a} "good" \ view` AS SELECT a FROM precious;
DROP TABLE gone; ALTER TABLE cut DROP COLUMN b; DROP FUNCTION f;
"""
_ENGINES = """
CREATE TABLE good (a INT); INSERT INTO good VALUES (1);
CREATE TABLE discarded (a INT); ALTER TABLE discarded DISCARD TABLESPACE;
CREATE TABLE part (a INT) ENGINE=MyISAM; CREATE TABLE mem (a INT) ENGINE=MEMORY;
CREATE TABLE joined (a INT) ENGINE=MERGE UNION=(part);
CREATE TABLE other (a INT) ENGINE=MyISAM; CREATE TABLE lost (a INT) ENGINE=MERGE UNION=(other);
DROP TABLE other; FLUSH TABLES;
"""


def test_broken_views(case: Case) -> None:
    database = case.database()
    case.server.sql(_VIEWS, database)
    source, [(_, sql)] = dump(case.job(database))
    broken = ("on_column", "on_function", "on_table", "on_view")
    assert noted(source) == {NoteCode.BROKEN_VIEWS: tuple(f"{database}.{view}" for view in broken)}
    loaded = case.server.sql("SHOW TABLES", case.load(sql)).splitlines()
    assert set(loaded) == {"cut", "precious", r"""it's {a} "good" \\ view"""}
    source, _ = dump(case.job(database, KSNAPSHOT_EXCLUDE_TABLES=",".join(broken)))
    assert source.notes == ()
    with pytest.raises(SourceRefusedError, match=r"'on_view' .* was asked for .*1356"):
        dump(case.job(database, KSNAPSHOT_TABLES="precious,on_view"))


def test_views_whose_definer_is_gone(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", database)
    definer = case.user(f"ALL ON {quoted(database)}.*")
    case.server.sql(f"CREATE DEFINER={definer}@'%' VIEW v AS SELECT a FROM t", database)
    case.server.sql(f"DROP USER {definer}@'%'")
    case.users.remove(definer)
    source, [(_, sql)] = dump(case.job(database))
    assert b"VIEW `v`" in sql
    if case.server.is_mariadb:
        # That server writes the database into the view then.
        assert noted(source) == {NoteCode.RESTORE_NEEDS: (f"{database}.v",)}
        case.server.drop_database(database)
        case.server.sql(sql, case.server.create_database(database))
    else:
        assert source.notes == ()
        case.load(sql)


def test_tables_that_the_server_cannot_open(case: Case) -> None:
    database = case.database()
    case.server.sql(_ENGINES, database)
    if not case.server.is_mariadb:
        case.server.sql("CREATE TABLE hole (a INT) ENGINE=BLACKHOLE", database)
    source, [(_, sql)] = dump(case.job(database))
    assert noted(source) == {
        NoteCode.UNREADABLE: (f"{database}.lost", f"{database}.discarded"),
        NoteCode.NOT_DUMPED: (f"{database}.joined",),
        NoteCode.NOT_CONSISTENT: (f"{database}.mem", f"{database}.part"),
    }
    kept = {"good", "joined", "mem", "part", *([] if case.server.is_mariadb else ["hole"])}
    assert set(case.server.sql("SHOW TABLES", case.load(sql)).split()) == kept
    source, _ = dump(case.job(database, KSNAPSHOT_EXCLUDE_TABLES="lost,discarded"))
    assert NoteCode.UNREADABLE not in noted(source)
    with pytest.raises(SourceRefusedError, match=r"'lost' .* was asked for .*1168"):
        dump(case.job(database, KSNAPSHOT_TABLES="good,lost"))


@pytest.mark.parametrize("case", ["mysql-8.0", "mariadb-11.4"], indirect=True)
def test_tables_that_are_damaged(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE good (a INT); INSERT INTO good VALUES (1)", database)
    for name, kind in {"half": "VARCHAR", "fixed": "CHAR", "headless": "CHAR"}.items():
        case.server.sql(
            f"CREATE TABLE {name} (a INT, b {kind}(200)) ENGINE=MyISAM; INSERT INTO {name} VALUES "
            "(1, REPEAT('b', 200)), (2, REPEAT('b', 200)); FLUSH TABLES",
            database,
        )
    folder = case.server.folder / "data" / database
    for rows in (folder / "half.MYD", folder / "fixed.MYD"):
        rows.write_bytes(rows.read_bytes()[: rows.stat().st_size // 2])
    (folder / "headless.MYI").write_bytes(b"")
    # Only reading all of it shows the damage, and it stays.
    with pytest.raises(SourceRefusedError, match=r"half.* crashed .*exclude-tables"):
        dump(case.job(database, KSNAPSHOT_EXCLUDE_TABLES="fixed"))
    # MariaDB gives what is left of it for the whole.
    unreadable = ["fixed", "headless"] if case.server.is_mariadb else ["headless"]
    left_out = "half" if case.server.is_mariadb else "half,fixed"
    source, [(_, sql)] = dump(case.job(database, KSNAPSHOT_EXCLUDE_TABLES=left_out))
    noted_names = noted(source)[NoteCode.UNREADABLE]
    assert sorted(noted_names) == [f"{database}.{name}" for name in unreadable]
    assert case.server.sql("SHOW TABLES", case.load(sql)) == "good"
    # MariaDB would not drop a database with them, nor with what its repairs left.
    if case.server.is_mariadb:
        case.server.sql("FLUSH TABLES", database)
        for file in folder.iterdir():
            if not file.name.startswith(("good.", "db.")):
                file.unlink()


def test_views_and_keys_on_what_was_left_out(case: Case) -> None:
    database = case.database()
    case.server.sql(
        "CREATE TABLE kept (a INT); CREATE TABLE large (a INT);"
        "CREATE VIEW of_kept AS SELECT a FROM kept; CREATE VIEW of_large AS SELECT a FROM large;"
        "CREATE VIEW of_view AS SELECT of_large.a FROM of_large JOIN of_kept;"
        "CREATE TABLE parent (a INT PRIMARY KEY); CREATE TABLE child (a INT PRIMARY KEY, p INT,"
        "CONSTRAINT of_parent FOREIGN KEY (p) REFERENCES parent (a))",
        database,
    )
    source, [(_, sql)] = dump(case.job(database, KSNAPSHOT_EXCLUDE_TABLES="large,parent"))
    names = ("of_large", "of_view", "child.of_parent")
    assert noted(source) == {NoteCode.NOT_CHOSEN: tuple(f"{database}.{name}" for name in names)}
    copy = case.load(sql)
    assert case.server.sql("SHOW TABLES", copy).split() == ["child", "kept", "of_kept"]
    source, _ = dump(case.job(database, KSNAPSHOT_TABLES="of_view,kept"))
    assert noted(source) == {NoteCode.NOT_CHOSEN: (f"{database}.of_view",)}


def test_all_databases_and_folders_that_are_none(case: Case) -> None:
    shop = case.database("shop")
    case.server.sql("CREATE TABLE t (a INT); INSERT INTO t VALUES (1)", shop)
    folders = [case.server.folder / "data" / name for name in ("lost+found", "backup", ".cache")]
    for folder in folders:
        folder.mkdir(mode=0o700)
        os.chown(folder, 0, 0)
    try:
        source, found = dump(case.job("x", KSNAPSHOT_DATABASES="*"))
        with pytest.raises(SourceRefusedError, match="backup"):
            dump(case.job("backup"))
    finally:
        for folder in folders:
            folder.rmdir()
    names = [name for name, _ in found]
    assert shop in names
    assert not {"backup", "#mysql50#lost+found", "#mysql50#.cache"} & set(names)
    unreadable = noted(source).get(NoteCode.UNREADABLE, ())
    if case.server.name in {"mysql-5.7", "mariadb-11.4"}:
        assert {"backup", "#mysql50#lost+found"} <= set(unreadable)
    else:
        # Its dictionary knows what is a database.
        assert unreadable == ()


def test_a_limit_of_rows_that_the_server_sets(case: Case) -> None:
    database = case.database()
    case.server.sql("CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3)", database)
    case.server.sql("SET GLOBAL sql_select_limit = 2")
    try:
        if case.server.is_mariadb:
            with pytest.raises(SourceRefusedError, match="sql_select_limit is 2"):
                dump(case.job(database))
            return
        _, [(_, sql)] = dump(case.job(database))
    finally:
        case.server.sql("SET GLOBAL sql_select_limit = DEFAULT")
    assert case.server.sql("SELECT COUNT(*) FROM t", case.load(sql)) == "3"


@pytest.mark.parametrize("case", [NEWEST], indirect=True)
def test_what_a_database_has_by_itself(case: Case) -> None:
    database = case.database()
    case.server.sql(
        f"CREATE TABLE t (a INT) ENCRYPTION='N'; ALTER DATABASE {quoted(database)} ENCRYPTION 'Y'; "
        f"ALTER DATABASE {quoted(database)} READ ONLY = 1",
        database,
    )
    try:
        source, [(_, sql)] = dump(case.job(database))
    finally:
        case.server.sql(f"ALTER DATABASE {quoted(database)} READ ONLY = 0")
    lost = (f"{database}: ENCRYPTION='Y'", f"{database}: READ ONLY = 1")
    assert noted(source) == {NoteCode.RESTORE_NEEDS: lost}
    case.load(sql)


def test_a_server_that_forbids_large_selects(case: Case) -> None:
    database = case.database()
    case.server.sql(
        "CREATE TABLE t (a INT); INSERT INTO t VALUES (1), (2), (3), (4), (5), (6), (7), (8)",
        database,
    )
    before = case.server.sql("SELECT @@global.max_join_size")
    case.server.sql("SET GLOBAL max_join_size = 5")
    try:
        if case.server.is_mariadb:
            with pytest.raises(SourceRefusedError, match="max_join_size = DEFAULT"):
                dump(case.job(database))
            return
        source, [(_, sql)] = dump(case.job(database))
    finally:
        case.server.sql(f"SET GLOBAL max_join_size = {before}")
    assert source.notes == ()
    assert case.server.sql("SELECT COUNT(*) FROM t", case.load(sql)) == "8"
