"""What pg_dump waits for without a limit of its own: views, sequences, materialized views."""

import pytest

from dumpers.runtime.errors import ExitCode
from tests.integration.dumpers.postgresql.test_survey import holding
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper


@pytest.mark.parametrize(
    ("statement", "name"),
    [
        ("ALTER VIEW busy_view RENAME TO other", "public.busy_view"),
        ("CREATE OR REPLACE VIEW busy_view AS SELECT 2 AS i", "public.busy_view"),
        ("ALTER SEQUENCE busy_sequence RENAME TO other", "public.other"),
        ("REFRESH MATERIALIZED VIEW busy_rows", "public.busy_rows"),
    ],
)
def test_what_is_no_table_and_somebody_holds_locked(
    dumper: Dumper, postgres: PostgresServer, database: str, statement: str, name: str
) -> None:
    postgres.psql(
        "CREATE VIEW busy_view AS SELECT 1 AS i; CREATE SEQUENCE busy_sequence;"
        "CREATE MATERIALIZED VIEW busy_rows AS SELECT 1 AS i",
        database,
    )
    quick = {"PG_DUMP_OPTIONS": "--lock-wait-timeout=1s"}
    with holding(postgres, database, statement):
        ended = dumper.run(**quick)
    assert ended.exit_code == ExitCode.SOURCE_FAILED
    message = ended.result.message
    assert " is locked by pid " in message
    assert name in message or "public.busy_" in message
    assert "user postgres, application migration" in message
    assert "has waited for a lock for 1 s" in message
    assert dumper.run(**quick).exit_code == ExitCode.DONE
