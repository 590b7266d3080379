"""A database whose dump does not compress, so that it is several parts of an upload."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.testbed.databases.postgres import PostgresServer


@contextmanager
def noise_database(postgres: PostgresServer, name: str, *, rows: int) -> Iterator[str]:
    """Make a database with so many rows of some 80 bytes; leaving drops it."""
    database = postgres.create_database(name)
    postgres.psql(
        "CREATE TABLE noise AS SELECT gen_random_uuid()::text || gen_random_uuid()::text AS text "
        f"FROM generate_series(1, {rows})",
        database,
    )
    yield database
    postgres.run("dropdb", "--force", database)
