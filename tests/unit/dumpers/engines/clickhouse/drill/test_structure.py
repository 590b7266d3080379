"""What a restored server has, held against the statements of a backup."""

from collections.abc import Mapping, Sequence

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.catalog.databases import Database
from dumpers.engines.clickhouse.catalog.server_catalog import ServerCatalog
from dumpers.engines.clickhouse.catalog.server_objects import ServerObjects
from dumpers.engines.clickhouse.cluster.replicas import Replica
from dumpers.engines.clickhouse.cluster.topology import Health, Node
from dumpers.engines.clickhouse.drill.stand_ins import find_stand_ins
from dumpers.engines.clickhouse.drill.structure import StructureComparison
from dumpers.engines.clickhouse.schema.table import Table
from dumpers.engines.clickhouse.schema.table_engines import TableTreatment
from dumpers.engines.clickhouse.schema.tables import BackupTable
from dumpers.engines.clickhouse.server.client import connect
from dumpers.engines.clickhouse.stored.contents import read_contents
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import RESTORE_ERRORS
from tests.unit.dumpers.engines.clickhouse.stored.backups import script

ACCESS = """
CREATE USER reader IDENTIFIED WITH sha256_hash BY 'AB12' SALT 'x';
CREATE USER hidden IDENTIFIED WITH sha256_password;
CREATE ROLE counting;
GRANT SELECT ON shop.* TO counting;
GRANT counting TO reader;
"""
TABLES: Mapping[str, str] = {
    "a": "CREATE TABLE shop.a (k UInt8, INDEX i k TYPE minmax GRANULARITY 1) ENGINE = Log",
    "r": "CREATE TABLE shop.r (k UInt8) ENGINE = ReplicatedMergeTree('/p', 'r') ORDER BY k",
}


def backup(*more: StoredDump) -> list[StoredDump]:
    text = "CREATE DATABASE shop ENGINE = Atomic;\n" + ";\n".join(TABLES.values())
    return [script(text), *more]


def server(
    tables: Mapping[str, str], *, access: Sequence[str] = (), release: str = "24.8.9"
) -> ServerCatalog:
    """A server that has these statements."""
    http = connect(Connection(host="127.0.0.1", port=8123), errors=RESTORE_ERRORS, settings={})
    node = Node(cluster="", shard=1, replica=1, host="127.0.0.1", port=8123)
    found = (
        Table(database="shop", name=name, engine="Log", create=text)
        for name, text in tables.items()
    )
    return ServerCatalog(
        replica=Replica(node=node, server=http, health=Health(reachable=True), release=release),
        databases=(
            Database(name="shop", engine="Atomic", create="CREATE DATABASE shop ENGINE = Atomic"),
        ),
        tables=tuple(
            BackupTable(table=table, kind=TableTreatment.DATA, store=table) for table in found
        ),
        paths={},
        objects=ServerObjects(access=tuple(access)),
    )


def compared(pieces: Sequence[StoredDump], restored: ServerCatalog) -> StructureComparison:
    contents = read_contents(pieces)
    found = StructureComparison(
        contents=contents,
        restored=restored,
        stand_ins=tuple(find_stand_ins(contents)),
        label="s1r1",
    )
    found.compare()
    return found


PLAIN = {**TABLES, "r": "CREATE TABLE shop.r\n(`k` UInt8)\nENGINE = MergeTree() ORDER BY k"}
GIVEN = [text.strip() for text in ACCESS.strip().split(";") if text.strip()]


def test_the_same_is_good_however_it_is_spelled() -> None:
    found = compared(backup(), server(PLAIN))
    assert found.faults == []
    assert ["shop.r" in text for text in found.unproved] == [True]


def test_what_differs_is_named_without_texts() -> None:
    other = {**PLAIN, "a": "CREATE TABLE shop.a (k UInt8 DEFAULT 'secret') ENGINE = Log"}
    [fault] = compared(backup(), server(other)).faults
    assert fault.startswith("shop.a is created by another statement")
    assert "secret" not in fault


def test_what_is_missing_or_there_besides() -> None:
    found = compared(
        backup(), server({"a": PLAIN["a"], "b": PLAIN["a"].replace("shop.a", "shop.b")})
    )
    assert found.faults == ["shop.r is missing", "shop.b is not in the backup"]


def test_another_release_spells_statements_in_another_way() -> None:
    other = {**PLAIN, "a": PLAIN["a"].replace("k TYPE minmax", "(k) TYPE minmax()")}
    found = compared(backup(), server(other, release="25.1.1"))
    assert found.faults == []
    assert "25.1.1" in found.unproved[-1]


def test_another_release_has_the_same_members() -> None:
    other = {**PLAIN, "a": "CREATE TABLE shop.a (k UInt8) ENGINE = Log"}
    [fault] = compared(backup(), server(other, release="25.1.1")).faults
    assert fault.startswith("shop.a has other indices: shop.a is created by another statement")


def test_grants() -> None:
    pieces = backup(script(ACCESS, "access"))
    there = [text for text in GIVEN if "hidden" not in text]
    found = compared(pieces, server(PLAIN, access=there))
    assert found.faults == []
    assert "no passwords" in found.unproved[-1]
    found = compared(pieces, server(PLAIN, access=[text for text in there if "shop." not in text]))
    assert found.faults == ["missing or different: GRANT SELECT ON shop.* TO counting"]
    changed = [text.replace("AB12", "CD34") for text in there]
    [fault] = compared(pieces, server(PLAIN, access=changed)).faults
    assert fault.startswith("missing or different: CREATE USER reader")
    assert "AB12" not in fault


def test_accounts_that_were_not_restored_are_faults() -> None:
    found = compared(backup(script(ACCESS, "access")), server(PLAIN))
    assert len(found.faults) == len(GIVEN) - 1
    assert all(text.startswith("missing or different: ") for text in found.faults)


def test_accounts_that_a_drill_does_not_restore_are_no_faults() -> None:
    binding = f"{ACCESS}CREATE ROW POLICY p ON shop.a FOR SELECT USING k = 1 TO ALL;"
    found = compared(backup(script(binding, "access")), server(PLAIN))
    assert found.faults == []
    assert "accounts, roles and policies were not restored" in found.unproved[-1]
