"""Servers and databases that the tests of this folder share."""

import os
from collections.abc import Iterator

import pytest

from tests.integration.dumpers.postgresql.changed import World, dumped
from tests.integration.dumpers.postgresql.worlds import RICH
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer


@pytest.fixture(autouse=True)
def clients(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the engine finds them, as in its image."""
    monkeypatch.setenv("PATH", str(postgres_testbed.bin_folder()), prepend=os.pathsep)


@pytest.fixture(scope="package")
def thirteen() -> Iterator[PostgresServer]:
    """The oldest server, the only one with PostgreSQL's own extensions."""
    with postgres_testbed.start(major=13, options={"max_prepared_transactions": "2"}) as server:
        yield server


@pytest.fixture(scope="package")
def sixteen() -> Iterator[PostgresServer]:
    """The last server on which indexes and views call functions with the session's search path."""
    with postgres_testbed.start(major=16) as server:
        yield server


@pytest.fixture(params=[13, 16])
def older(request: pytest.FixtureRequest) -> PostgresServer:
    server: PostgresServer = request.getfixturevalue({13: "thirteen", 16: "sixteen"}[request.param])
    return server


@pytest.fixture
def world(postgres: PostgresServer, database: str) -> Iterator[World]:
    postgres.psql(RICH, database)
    made = World(
        server=postgres, live=database, backup=dumped(postgres, database), before="", after=""
    )
    made.before = made.dump(database)
    postgres.psql("DELETE FROM people; CREATE TABLE newer (a int)", database)
    made.after = made.dump(database)
    yield made
    for name in made.databases() - {database}:
        postgres.run("dropdb", "--force", name)
