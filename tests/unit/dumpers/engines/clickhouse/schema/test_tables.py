from dataclasses import replace

import pytest

from dumpers.contract.notes import NoteCode
from dumpers.engines.clickhouse.schema.create_order import Phase, phase, phases
from dumpers.engines.clickhouse.schema.table import Column, Table
from dumpers.engines.clickhouse.schema.table_engines import (
    ENGINES,
    TableTreatment,
    by_engine,
    is_replicated,
)
from dumpers.engines.clickhouse.schema.tables import BackupTable, treat

ID = "95cc8b85-7fa3-429c-ba55-47a40f424f6b"
NO_ID = "00000000-0000-0000-0000-000000000000"
INNER = f".inner_id.{ID}"
VIEW = "CREATE MATERIALIZED VIEW d.mv (`k` UInt8) ENGINE = MergeTree ORDER BY k AS SELECT 1 AS k"
VIEW_TO = "CREATE MATERIALIZED VIEW d.mv TO d.t (`k` UInt8) AS SELECT 1 AS k"
REFRESHED = "CREATE MATERIALIZED VIEW d.mv REFRESH EVERY 1 HOUR TO d.t AS SELECT 1 AS k"


def table(
    name: str,
    engine: str = "MergeTree",
    *,
    database: str = "d",
    uuid: str = "",
    create: str = "",
    full: str = "",
    columns: tuple[Column, ...] = (),
    needs: frozenset[tuple[str, str]] = frozenset(),
    temporary: bool = False,
) -> Table:
    return Table(
        database=database,
        name=name,
        uuid=uuid,
        engine=engine,
        engine_full=full,
        create=create,
        columns=columns,
        needs=needs,
        is_temporary=temporary,
    )


def view(create: str, uuid: str = "", name: str = "mv") -> Table:
    return table(name, "MaterializedView", uuid=uuid, create=create)


def one(single: Table) -> BackupTable:
    (found,) = treat([single])
    return found


@pytest.mark.parametrize(
    ("engines", "kind", "told"),
    [
        (
            (
                "MergeTree ReplacingMergeTree SummingMergeTree AggregatingMergeTree"
                " GraphiteMergeTree CollapsingMergeTree VersionedCollapsingMergeTree"
                " CoalescingMergeTree ReplicatedMergeTree ReplicatedReplacingMergeTree"
                " SharedMergeTree Log TinyLog StripeLog Memory Join SharedJoin EmbeddedRocksDB"
            ),
            TableTreatment.DATA,
            [],
        ),
        (
            (
                "View Distributed Dictionary Merge Null GenerateRandom Alias LiveView"
                " numbers() values() generateRandom() merge()"
            ),
            TableTreatment.SCHEMA,
            [],
        ),
        (
            (
                "URL S3 MySQL PostgreSQL JDBC ODBC Iceberg IcebergS3 Hudi DeltaLake Redis MongoDB"
                " MaterializedPostgreSQL postgresql() s3() url() remote() mysql() ofTomorrow()"
            ),
            TableTreatment.SCHEMA,
            [NoteCode.FOREIGN_TABLES],
        ),
        (
            "Kafka RabbitMQ NATS S3Queue AzureQueue FileLog",
            TableTreatment.SCHEMA,
            [NoteCode.FOREIGN_TABLES, NoteCode.RESTORE_NEEDS],
        ),
        (
            "Set SharedSet File KeeperMap TimeSeries WindowView SQLite Frobnicated Buffer file()",
            TableTreatment.SCHEMA,
            [NoteCode.NOT_DUMPED],
        ),
        ("Executable ExecutablePool", TableTreatment.SCHEMA, [NoteCode.RESTORE_NEEDS]),
    ],
)
def test_what_is_saved_goes_by_the_engine(
    engines: str, kind: TableTreatment, told: list[NoteCode]
) -> None:
    for engine in engines.split():
        found = one(table("t", engine))
        assert (found.kind, found.has_data) == (kind, kind is TableTreatment.DATA), engine
        assert [note.code for note in found.notes] == told, engine
        assert all(note.objects == ("d.t",) for note in found.notes)


def test_a_buffer_that_is_empty_lacks_nothing() -> None:
    assert one(replace(table("t", "Buffer"), total_bytes=0)).notes == ()
    assert one(replace(table("t", "Buffer"), total_bytes=8)).notes


def test_no_queue_is_ever_read() -> None:
    assert not any(
        ENGINES[engine][0] is TableTreatment.DATA
        for engine in ("Kafka", "RabbitMQ", "NATS", "S3Queue", "AzureQueue", "FileLog")
    )
    assert by_engine("KafkaQueueOfTomorrow")[0] is TableTreatment.SCHEMA


@pytest.mark.parametrize(
    ("engine", "replicated"),
    [
        ("ReplicatedMergeTree", True),
        ("ReplicatedSummingMergeTree", True),
        ("SharedMergeTree", True),
        ("SharedJoin", True),
        ("MergeTree", False),
        ("ReplacingMergeTree", False),
        ("Log", False),
    ],
)
def test_which_engines_are_replicated(engine: str, *, replicated: bool) -> None:
    assert is_replicated(engine) is replicated
    assert one(table("t", engine)).is_replicated is replicated


@pytest.mark.parametrize(
    "skipped",
    [
        table("tables", "SystemTables", database="system"),
        table("tables", "View", database="information_schema"),
        table("TABLES", "View", database="INFORMATION_SCHEMA"),
        table("t", "Memory", database="", temporary=True),
        table("t", "Memory", temporary=True),
        table(f".tmp.inner_id.{ID}"),
    ],
)
def test_what_is_the_servers_or_a_sessions_is_left_out(skipped: Table) -> None:
    found = one(skipped)
    assert (found.kind, found.has_data, found.notes) == (TableTreatment.SKIPPED, False, ())


@pytest.mark.parametrize(
    ("tables", "kinds"),
    [
        ([view(VIEW, ID), table(INNER)], [TableTreatment.VIEW_WITH_DATA, TableTreatment.INNER]),
        ([table(INNER), view(VIEW, ID)], [TableTreatment.INNER, TableTreatment.VIEW_WITH_DATA]),
        ([view(VIEW), table(".inner.mv")], [TableTreatment.VIEW_WITH_DATA, TableTreatment.INNER]),
        (
            [view(VIEW, NO_ID), table(".inner.mv")],
            [TableTreatment.VIEW_WITH_DATA, TableTreatment.INNER],
        ),
        (
            [view(VIEW, name="a.b"), table(".inner.a.b")],
            [TableTreatment.VIEW_WITH_DATA, TableTreatment.INNER],
        ),
        ([view(VIEW, ID), table(INNER, "Set")], [TableTreatment.SCHEMA, TableTreatment.INNER]),
        ([view(VIEW_TO, ID), table("t")], [TableTreatment.SCHEMA, TableTreatment.DATA]),
        # What no view that is seen keeps its rows in is somebody's data.
        ([view(VIEW_TO, ID), table(INNER)], [TableTreatment.SCHEMA, TableTreatment.DATA]),
        ([view(VIEW_TO), table(".inner.mv")], [TableTreatment.SCHEMA, TableTreatment.DATA]),
        ([table(INNER)], [TableTreatment.DATA]),
        (
            [table(".inner.mv"), view(VIEW, name="other")],
            [TableTreatment.DATA, TableTreatment.SCHEMA],
        ),
        ([table(".inner."), view(VIEW, NO_ID)], [TableTreatment.DATA, TableTreatment.SCHEMA]),
        (
            [view(VIEW, ID), table(INNER, database="e")],
            [TableTreatment.SCHEMA, TableTreatment.DATA],
        ),
        (
            [table("ts", "TimeSeries", uuid=ID), table(f".inner_id.samples.{ID}")],
            [TableTreatment.SCHEMA, TableTreatment.INNER],
        ),
        (
            [table("ts", "TimeSeries"), table(".inner.samples.ts")],
            [TableTreatment.SCHEMA, TableTreatment.INNER],
        ),
    ],
)
def test_a_views_own_table_is_saved_as_the_view(
    tables: list[Table], kinds: list[TableTreatment]
) -> None:
    assert [item.kind for item in treat(tables)] == kinds


def test_a_view_is_replicated_as_its_own_table_is() -> None:
    own = table(INNER, "ReplicatedSummingMergeTree")
    found, _ = treat([view(VIEW, ID), own])
    assert (found.store, found.is_replicated, found.loses_rows) == (own, True, True)


@pytest.mark.parametrize(
    ("tables", "words"),
    [
        ([view(VIEW_TO)], []),
        ([view(VIEW, ID), table(INNER)], []),
        ([view(VIEW, ID)], ["does not see the tables that they keep them in"]),
        ([view(REFRESHED)], ["without a first refresh"]),
        ([view("")], []),
        (
            [table("x", "Dictionary", create="CREATE DICTIONARY d.x SOURCE(A(B '[HIDDEN]'))")],
            ["hides secrets", "lie in other systems"],
        ),
        (
            [table("x", "MySQL", create="CREATE TABLE d.x ENGINE = URL('http://u:[HIDDEN]@h')")],
            ["lie in other systems", "hides secrets"],
        ),
        ([table("x", create="CREATE TABLE d.`[HIDDEN]` (`a` UInt8) /* '[HIDDEN]' */")], []),
    ],
)
def test_what_is_worth_a_note_is_told(tables: list[Table], words: list[str]) -> None:
    notes = treat(tables)[0].notes
    assert len(notes) == len(words)
    assert all(word in note.text for word, note in zip(words, notes, strict=True))


@pytest.mark.parametrize(
    ("expression", "told"),
    [
        ("now()", True),
        ("toDate(now64(3))", True),
        ("generateUUIDv4()", True),
        ("rand() % 2", True),
        ("randUniform(1, 2)", True),
        ("hostName()", True),
        ("NOW ()", True),
        ("dictGet('d.x', 'v', k)", True),
        ("dictGetOrNull('d.x', 'v', k)", True),
        ("joinGet('d.j', 'v', k)", True),
        ("toYYYYMM(d)", False),
        ("lower(now)", False),
        ("`now`", False),
        ("concat('now()', version)", False),
        ("k /* now() */", False),
        ("range(k)", False),
    ],
)
def test_columns_that_come_back_with_other_values_are_told(expression: str, *, told: bool) -> None:
    column = Column(name="m", type="String", default_kind="MATERIALIZED", expression=expression)
    computed = table("t", columns=(column,))
    notes = one(computed).notes
    assert [(note.code, note.objects) for note in notes] == [(NoteCode.ALTERED, ("d.t.m",))] * told
    # Where inserts may have such values, they are saved as they are.
    assert not one(replace(computed, loads_computed=True)).notes
    # What is stored anyway comes back as it was.
    default = Column(name="m", type="String", default_kind="DEFAULT", expression=expression)
    assert not one(table("t", columns=(default,))).notes


def test_columns_that_are_computed_are_not_written() -> None:
    kinds = ("", "DEFAULT", "MATERIALIZED", "ALIAS", "EPHEMERAL")
    columns = tuple(Column(name=f"c{kind}", type="UInt8", default_kind=kind) for kind in kinds)
    found = table("t", columns=columns)
    assert found.stored_columns == found.plain_columns == ("c", "cDEFAULT")
    assert replace(found, loads_computed=True).stored_columns == ("c", "cDEFAULT", "cMATERIALIZED")


def test_a_view_is_loaded_by_what_it_selects() -> None:
    columns = (
        Column(name="a", type="UInt8"),
        Column(name="b", type="UInt8", default_kind="MATERIALIZED"),
    )
    own = replace(table(INNER, columns=columns), loads_computed=True)
    found, _ = treat([view(VIEW, ID), own])
    assert found.columns == ("a",)
    assert one(replace(own, name="t")).columns == ("a", "b")


@pytest.mark.parametrize(
    ("create", "full", "codes"),
    [
        ("CREATE TABLE d.t (`a` Date TTL a + 1) ENGINE = Log", "", [NoteCode.RESTORE_NEEDS]),
        ("CREATE TABLE d.t (`TTL` Date) ENGINE = Log", "", []),
        ("", "MergeTree SETTINGS storage_policy = 'cold'", [NoteCode.RESTORE_NEEDS]),
        ("", "MergeTree SETTINGS disk = disk(type = s3)", [NoteCode.RESTORE_NEEDS]),
        ("", "MergeTree SETTINGS storage_policy = 'default'", []),
        ("CREATE TABLE d.t (`a` UInt8) COMMENT '\ufffd'", "", [NoteCode.ALTERED]),
    ],
)
def test_what_a_table_asks_of_a_restore_is_told(
    create: str, full: str, codes: list[NoteCode]
) -> None:
    assert [note.code for note in one(table("t", create=create, full=full)).notes] == codes


@pytest.mark.parametrize(
    ("source", "foreign"),
    [
        ("CLICKHOUSE(DB 'new' TABLE 'source')", False),
        ("CLICKHOUSE(HOST 'localhost' PORT 9000 TABLE 'source')", False),
        ("CLICKHOUSE(HOST 'other' PORT 9000 TABLE 'source')", True),
        ("NULL()", False),
        ("HTTP(URL 'http://x/' FORMAT 'CSV')", True),
        ("MYSQL(HOST 'localhost' TABLE 't')", True),
    ],
)
def test_a_dictionary_of_another_system_is_told(source: str, *, foreign: bool) -> None:
    create = f"CREATE DICTIONARY d.x (`k` UInt64) PRIMARY KEY k SOURCE({source}) LAYOUT(FLAT())"
    notes = one(table("x", "Dictionary", create=create)).notes
    assert [note.code for note in notes] == [NoteCode.FOREIGN_TABLES] * foreign


@pytest.mark.parametrize("lost", [table("t\ufffd"), table("t", database="d\ufffd")])
def test_a_name_that_is_no_text_is_left_out(lost: Table) -> None:
    found = one(lost)
    assert (found.kind, found.is_saved) == (TableTreatment.SKIPPED, False)
    assert [note.code for note in found.notes] == [NoteCode.UNREADABLE]


@pytest.mark.parametrize(
    ("engine", "full", "loses"),
    [
        ("MergeTree", "MergeTree ORDER BY k SETTINGS ttl_only_drop_parts = 1", False),
        ("MergeTree", "MergeTree ORDER BY k TTL d + toIntervalDay(1)", True),
        ("ReplicatedMergeTree", "ReplicatedMergeTree('/TTL x', 'r') ORDER BY `TTL`", False),
        ("ReplicatedReplacingMergeTree", "", True),
        ("SharedSummingMergeTree", "", True),
        ("AggregatingMergeTree", "", True),
        ("Log", "Log", False),
        ("Memory", "Memory", False),
    ],
)
def test_which_tables_lose_rows_by_themselves(engine: str, full: str, *, loses: bool) -> None:
    assert one(table("t", engine, full=full)).loses_rows is loses


@pytest.mark.parametrize(
    ("created", "when"),
    [
        (table("t"), Phase.TABLES),
        (table("t", "Kafka"), Phase.TABLES),
        (table("t", "Set"), Phase.TABLES),
        (table("t", needs=frozenset({("d", "x")})), Phase.DEPENDENT),
        (table("x", "Dictionary"), Phase.DEPENDENT),
        (table("t", "Buffer"), Phase.FORWARDING),
        (table("t", "Distributed", needs=frozenset({("d", "x")})), Phase.FORWARDING),
        (table("t", "Merge"), Phase.FORWARDING),
        (table("t", "View"), Phase.VIEWS),
        (view(VIEW), Phase.MATERIALIZED_VIEWS),
        (view(VIEW_TO), Phase.MATERIALIZED_VIEWS),
        (view(REFRESHED), Phase.REFRESHABLE_VIEWS),
    ],
)
def test_when_a_table_is_created(created: Table, when: Phase) -> None:
    assert phase(one(created)) is when


def test_tables_are_created_in_the_order_of_their_needs() -> None:
    def needs(*names: str) -> frozenset[tuple[str, str]]:
        return frozenset(("d", name) for name in names)

    items = treat(
        [
            view(REFRESHED),
            view(VIEW, name="a", uuid=ID),
            table(INNER),
            table("b", "Dictionary", needs=needs("t2", "c")),
            table("c", "Dictionary", needs=needs("z", "gone")),
            table("a0", needs=needs("b")),
            table("z"),
            table("t2", "Log"),
            table("dist", "Distributed"),
            table("v", "View"),
            table("x", "Log", database="system"),
        ]
    )
    found = {each: [item.table.name for item in tables] for each, tables in phases(reversed(items))}
    assert found == {
        Phase.TABLES: ["t2", "z"],
        Phase.DEPENDENT: ["c", "b", "a0"],
        Phase.FORWARDING: ["dist"],
        Phase.VIEWS: ["v"],
        Phase.MATERIALIZED_VIEWS: ["a"],
        Phase.REFRESHABLE_VIEWS: ["mv"],
    }
    assert list(found) == sorted(found)


def test_tables_that_need_each_other_come_all_the_same() -> None:
    circle = [
        table("b", "Dictionary", needs=frozenset({("d", "a")})),
        table("a", "Dictionary", needs=frozenset({("d", "b")})),
    ]
    found = dict(phases(treat(circle)))[Phase.DEPENDENT]
    assert [item.table.name for item in found] == ["a", "b"]
