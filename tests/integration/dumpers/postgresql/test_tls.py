"""How the connection to PostgreSQL is secured, as the job asks for it, on a server that has TLS."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from dumpers.runtime.errors import ExitCode
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper
from tests.testbed.toolchain import pki, scratch


@dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """A server that takes TLS only, with a certificate for 127.0.0.1, and whose it is."""

    server: PostgresServer
    authority: Path
    foreign: Path


@pytest.fixture(scope="module")
def secured() -> Iterator[Secured]:
    folder = scratch.make("pki")
    for name in ("own", "foreign"):
        (folder / name).mkdir()
    own, foreign = pki.authority(folder / "own"), pki.authority(folder / "foreign")
    with postgres_testbed.start(major=13, tls=own.server("db", ["127.0.0.1"])) as server:
        yield Secured(server=server, authority=own.pair.cert, foreign=foreign.pair.cert)
    scratch.remove(folder)


@pytest.mark.parametrize(
    ("mode", "host", "trusted", "refusal"),
    [
        ("", "127.0.0.1", None, None),
        ("prefer", "127.0.0.1", None, None),
        ("require", "127.0.0.1", None, None),
        ("disable", "127.0.0.1", None, "no pg_hba.conf entry"),
        ("verify-ca", "127.0.0.1", "authority", None),
        ("verify-full", "127.0.0.1", "authority", None),
        ("verify-ca", "localhost", "authority", None),
        ("verify-full", "localhost", "authority", "does not match host name"),
        ("verify-ca", "127.0.0.1", "foreign", "certificate verify failed"),
        ("verify-full", "127.0.0.1", "foreign", "certificate verify failed"),
        ("verify-full", "127.0.0.1", None, "root certificate file"),
    ],
)
def test_tls_is_as_it_was_asked_for(
    dumper: Dumper, secured: Secured, mode: str, host: str, trusted: str | None, refusal: str | None
) -> None:
    given = {
        "POSTGRESQL_HOST": host,
        "POSTGRESQL_PORT": str(secured.server.port),
        "POSTGRESQL_PASSWORD": secured.server.password,
        "POSTGRESQL_DATABASE": "postgres",
        "POSTGRESQL_TLS": mode,
        "POSTGRESQL_CA_FILE": str(getattr(secured, trusted)) if trusted else "",
        "PATH": f"{postgres_testbed.debian_bin_folder()}:/usr/bin:/bin",
    }
    ended = dumper.run(**{name: value for name, value in given.items() if value})
    if refusal is None:
        assert ended.exit_code == ExitCode.DONE, ended.log
    else:
        assert ended.exit_code == ExitCode.SOURCE_REFUSED, ended.log
        assert refusal in ended.result.message
