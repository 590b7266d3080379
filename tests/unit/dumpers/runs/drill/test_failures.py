from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.protocol import Engine
from dumpers.runs.drill.chosen import check_options
from dumpers.runs.drill.failures import judge_restore
from dumpers.runs.restore.exchange.channel import BrokenExchangeError
from dumpers.runtime.errors import (
    DrillNotLoadedError,
    DrillServerFailedError,
    DrillServerUnfitError,
    InterruptedRunError,
    KsnapshotError,
    NotDrillableError,
    TargetFailedError,
    TargetRefusedError,
)
from dumpers.runtime.interrupt import Interrupt

SERVER = Connection(host="127.0.0.1", port=1)


@dataclass(frozen=True)
class Answering:
    """An engine whose server answers, or does not."""

    error: KsnapshotError | None = None

    def inspect(self, *_: object) -> Mapping[str, int]:
        if self.error:
            raise self.error
        return {}


def judge(
    said: str,
    *,
    kind: Callable[[str], Any] = TargetFailedError,
    gone: KsnapshotError | None = None,
    options: Mapping[str, str] | None = None,
) -> KsnapshotError:
    engine = cast("Engine", Answering(gone))
    return judge_restore(kind(said), engine, SERVER, options or {}, Interrupt())


@pytest.mark.parametrize(
    ("said", "kind"),
    [
        ("ERROR: invalid input syntax for type integer", DrillNotLoadedError),
        ("ERROR 1064 (42000): You have an error in your SQL syntax", DrillNotLoadedError),
        ("nobody knows these words", DrillNotLoadedError),
        ("could not extend file: No space left on device", DrillServerFailedError),
        ("ERROR 1114 (HY000): The table 'orders' is full", DrillServerFailedError),
        ("ERROR 2013: Lost connection to MySQL server", DrillServerFailedError),
        ("server closed the connection unexpectedly", DrillServerFailedError),
        ("out of memory", DrillServerFailedError),
        ('extension "postgis" is not available', DrillServerUnfitError),
        ("ERROR 1273: Unknown collation: 'uca1400_ai_ci'", DrillServerUnfitError),
        ('could not access file "$libdir/mine"', DrillServerUnfitError),
        ("ERROR 3185 (HY000): Can't find master key from keyring", DrillServerUnfitError),
        ("can only create extension in database postgres", DrillServerUnfitError),
        ('could not open dictionary file "/x/fr.dict"', DrillServerUnfitError),
        ("ERROR 1128 (HY000): Function 'mecab' is not defined", DrillServerUnfitError),
        ('invalid value for parameter "default_tablespace": "fast"', DrillServerUnfitError),
        ('pg_cron must be loaded via "shared_preload_libraries"', DrillServerUnfitError),
        # Words of names and values are nobody's.
        ("ERROR 1062: Duplicate entry 'it's out of memory' for key 'a'", DrillNotLoadedError),
        ('ERROR: relation "killed" does not exist', DrillNotLoadedError),
        ('invalid input syntax for type integer: "timeout"', DrillNotLoadedError),
        (
            "ERROR 1064: error near 'a 'gone away' b' at line 3",
            DrillNotLoadedError,
        ),
        (
            'duplicate key value violates unique constraint "unknown storage engine"',
            DrillNotLoadedError,
        ),
        ("table default.killed already exists", DrillNotLoadedError),
        ("ERROR 2002: Can't connect to MySQL server on '127.0.0.1'", DrillServerFailedError),
        ("psql was killed (SIGKILL), probably out of memory", DrillServerFailedError),
        ("Memory limit (total) exceeded: would use 3 GiB", DrillServerFailedError),
        ("psql: error: could not connect to server: Connection refused", DrillServerFailedError),
        (
            'because of {"type": "circuit_breaking_exception", "reason": "[parent] too large"}',
            DrillServerFailedError,
        ),
        # What the load reads from elsewhere.
        ('ERROR:  could not connect to server "far"', NotDrillableError),
        ("ERROR:  could not establish connection", NotDrillableError),
    ],
)
def test_whose_fault_a_restore_is(said: str, kind: type[KsnapshotError]) -> None:
    for raised in (TargetFailedError, TargetRefusedError):
        found = judge(said, kind=raised)
        assert type(found) is kind
        assert said in str(found)


def test_a_server_that_is_gone_judges_nothing() -> None:
    found = judge("a syntax error", gone=TargetFailedError("refused"))
    assert type(found) is DrillServerFailedError


def test_an_exchange_that_broke_judges_nothing() -> None:
    broken = judge("the other container has ended", kind=BrokenExchangeError)
    assert type(broken) is BrokenExchangeError


@pytest.mark.parametrize(
    ("options", "is_chosen"),
    [
        ({}, False),
        ({"KSNAPSHOT_DATABASES": "*", "KSNAPSHOT_FORMAT": "custom"}, False),
        ({"KSNAPSHOT_PER_TABLE": "true", "CLICKHOUSE_VIA": "service"}, False),
        ({"KSNAPSHOT_TABLES": "app.orders"}, True),
        ({"KSNAPSHOT_INDICES": "a-*", "KSNAPSHOT_DOCUMENT_VERSIONS": "true"}, True),
        ({"PG_DUMP_OPTIONS": "--no-owner -O -vx --inserts --schema-only --statistics"}, False),
        ({"PG_DUMP_OPTIONS": "-Ot app.orders"}, True),
        ({"PG_DUMP_OPTIONS": "--exclude-tab='a b'"}, True),
        ({"PG_DUMP_OPTIONS": "--section=data"}, True),
        ({"MYSQLDUMP_OPTIONS": "--hex-blob --opt -qwt --ssl-mode=DISABLED --routines"}, False),
        ({"MYSQLDUMP_OPTIONS": "-qt"}, True),
        ({"MYSQLDUMP_OPTIONS": "--loose_ignore_table=a.b"}, True),
        ({"MYSQLDUMP_OPTIONS": "--routines=OFF"}, True),
    ],
    ids=str,
)
def test_only_chosen_parts_may_need_others(options: Mapping[str, str], *, is_chosen: bool) -> None:
    found = judge('schema "app" does not exist', options=options)
    assert type(found) is (NotDrillableError if is_chosen else DrillNotLoadedError)
    assert not is_chosen or next(iter(options)) in str(found)
    other = judge('violates unique constraint "does not exist"', options=options)
    assert type(other) is DrillNotLoadedError


@pytest.mark.parametrize("given", ["--include-foreign-data=far", "-O --include-f far"])
def test_rows_of_foreign_tables_are_never_loaded(given: str) -> None:
    check_options({"PG_DUMP_OPTIONS": "--no-owner --inserts"})
    with pytest.raises(NotDrillableError, match="foreign tables"):
        check_options({"PG_DUMP_OPTIONS": given})


def test_a_drill_that_has_to_stop_judges_nothing() -> None:
    interrupt = Interrupt()
    interrupt.cancel("SIGTERM")
    error = TargetFailedError("a syntax error")
    with pytest.raises(InterruptedRunError):
        judge_restore(error, cast("Engine", Answering()), SERVER, {}, interrupt)
