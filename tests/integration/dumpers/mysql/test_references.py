"""Databases that refer to one another load in the order of the manifest."""

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.mysql.engine import ENGINE
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case, Servers, dump_parts, noted, piece
from tests.testbed.databases.mysql import NEWEST, quoted

_REFERENCES = {
    "view": "CREATE VIEW v AS SELECT id FROM {b}.t",
    "view on a view": "CREATE VIEW v AS SELECT id FROM {b}.w; CREATE VIEW z AS SELECT id FROM v",
    "views of each other": "CREATE VIEW v AS SELECT id FROM {b}.t; "
    "CREATE VIEW {b}.back AS SELECT id FROM v; CREATE VIEW there AS SELECT id FROM {b}.back",
    "view with a function": "CREATE VIEW v AS SELECT {b}.g(1) AS id",
    "foreign key": "CREATE TABLE c (id INT, FOREIGN KEY (id) REFERENCES {b}.t (id));"
    "INSERT INTO c VALUES (1)",
    "trigger": "CREATE TABLE c (id INT); CREATE TRIGGER g BEFORE INSERT ON c FOR EACH ROW "
    "INSERT INTO {b}.t VALUES (NEW.id)",
    "function": "CREATE FUNCTION f() RETURNS INT READS SQL DATA RETURN (SELECT max(id) FROM {b}.t)",
}


@pytest.mark.parametrize("per_table", ["", "true"])
def test_databases_that_refer_to_each_other(case: Case, per_table: str) -> None:
    a, b = case.database("a"), case.database("b $x`y")
    case.server.sql(
        "CREATE TABLE t (id INT PRIMARY KEY); INSERT INTO t VALUES (1);"
        "CREATE VIEW w AS SELECT id FROM t;"
        "CREATE FUNCTION g(x INT) RETURNS INT DETERMINISTIC RETURN x",
        b,
    )
    for number, sql in enumerate(_REFERENCES.values()):
        made = case.database(f"a{number}")
        case.server.sql(sql.format(b=quoted(b)).replace("back", f"back{number}"), made)
    names = sorted(case.made)
    job = case.job(a, KSNAPSHOT_DATABASES=",".join(names), KSNAPSHOT_PER_TABLE=per_table)
    source, found = dump_parts(job)
    assert source.notes == ()
    listed = (
        "SELECT table_schema, table_name, table_type FROM information_schema.tables ORDER BY 1,2"
    )
    before = case.server.sql(listed)
    for name in names:
        case.server.drop_database(name)
        case.server.create_database(name)
    pieces = [piece(name, data, part) for name, part, data in found]
    ENGINE.restore(case.connection(a), pieces, Interrupt())
    assert case.server.sql(listed) == before
    # And with the stock client, as the guide says.
    for name in names:
        case.server.drop_database(name)
        case.server.create_database(name)
    for name, _, data in found:
        case.server.sql(data, name)
    assert case.server.sql(listed) == before
    assert case.server.sql("SELECT id FROM there", made_of(names, "a2")) == "1"


def made_of(names: list[str], beginning: str) -> str:
    return next(name for name in names if name.startswith(f"{beginning}_"))


@pytest.mark.parametrize("case", ["mariadb-11.4"], indirect=True)
def test_a_sequence_of_another_database(case: Case) -> None:
    a, b = case.database("a"), case.database("b")
    case.server.sql("CREATE SEQUENCE s", b)
    case.server.sql(f"CREATE TABLE t (id INT DEFAULT NEXTVAL({b}.s))", a)
    _, found = dump_parts(case.job(a, KSNAPSHOT_DATABASES=f"{a},{b}"))
    assert [name for name, *_ in found] == [b, a]
    for name in (a, b):
        case.server.drop_database(name)
        case.server.create_database(name)
    for name, _, data in found:
        case.server.sql(data, name)


def test_a_database_that_needs_another_one(case: Case) -> None:
    a, b = case.database("a"), case.database("b")
    case.server.sql("CREATE TABLE t (id INT PRIMARY KEY)", b)
    case.server.sql(
        f"CREATE VIEW v AS SELECT id FROM {b}.t;"
        f"CREATE TABLE c (id INT, CONSTRAINT k FOREIGN KEY (id) REFERENCES {b}.t (id))",
        a,
    )
    source, [(_, _, sql)] = dump_parts(case.job(a))
    assert noted(source) == {NoteCode.NOT_CHOSEN: (f"{a}.v", f"{a}.c.k")}
    case.load(sql)


@pytest.mark.parametrize("case", ["mysql-8.0"], indirect=True)
@pytest.mark.parametrize("per_table", ["", "true"])
def test_foreign_keys_on_what_is_not_unique(case: Case, servers: Servers, per_table: str) -> None:
    database = case.database()
    case.server.sql(
        "CREATE TABLE p (a INT, b INT, c INT, KEY (a), UNIQUE (b, c), UNIQUE (c));"
        "CREATE TABLE c (a INT, b INT, c INT, CONSTRAINT loose FOREIGN KEY (a) REFERENCES p (a),"
        "CONSTRAINT part FOREIGN KEY (b) REFERENCES p (b), FOREIGN KEY (c) REFERENCES p (c),"
        "FOREIGN KEY (b, c) REFERENCES p (b, c));"
        "INSERT INTO p VALUES (1, 1, 1), (1, 2, 2); INSERT INTO c VALUES (1, 1, 1)",
        database,
    )
    source, found = dump_parts(case.job(database, KSNAPSHOT_PER_TABLE=per_table))
    names = (f"{database}.c.loose", f"{database}.c.part")
    assert noted(source) == {NoteCode.RESTORE_NEEDS: names}
    new = Case(server=servers(NEWEST))
    copy = new.database("from_old")
    # By an account that has no more rights than those on the database.
    user = new.user(f"ALL ON {quoted(copy)}.*")
    for _, _, data in found:
        new.server.sql(data, copy, user=user, password="pw")
    assert new.server.sql("SELECT a FROM c", copy) == "1"
    new.end()
