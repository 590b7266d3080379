"""How the connection is secured, as the job asks for it."""

from dataclasses import replace
from pathlib import Path

import pytest

from dumpers.engines.mysql.restore.target import look_at_target
from dumpers.runtime.errors import KsnapshotError, TargetFailedError, TargetRefusedError
from dumpers.runtime.interrupt import Interrupt
from tests.integration.dumpers.mysql.conftest import Case, dump
from tests.testbed.toolchain import pki


def test_tls_is_as_it_was_asked_for(case: Case, tmp_path: Path) -> None:
    database = case.database()
    # MySQL 5.7 of the testbed has no TLS.
    offered = case.server.name != "mysql-5.7"
    for mode in ("disable", "prefer"):
        dump(case.job(database, MYSQL_TLS=mode))
    if offered:
        dump(case.job(database, MYSQL_TLS="require"))
    else:
        with pytest.raises(KsnapshotError, match=r"(?i)ssl|tls"):
            dump(case.job(database, MYSQL_TLS="require"))
    foreign = pki.authority(tmp_path).pair.cert
    for mode in ("verify-ca", "verify-full"):
        with pytest.raises(KsnapshotError, match=r"(?i)ssl|tls|certificate"):
            dump(case.job(database, MYSQL_TLS=mode, MYSQL_CA_FILE=str(foreign)))


@pytest.mark.parametrize("case", ["mysql-8.0", "mysql-9"], indirect=True)
def test_the_servers_own_authority_is_trusted_when_named(case: Case) -> None:
    authority = case.server.authority()
    dump(case.job(case.database(), MYSQL_TLS="verify-ca", MYSQL_CA_FILE=str(authority)))


@pytest.mark.parametrize("case", ["mysql-8.0", "mysql-9"], indirect=True)
def test_a_server_that_is_not_trusted_any_more(case: Case, tmp_path: Path) -> None:
    foreign, named = pki.authority(tmp_path).pair.cert, tmp_path / "named.pem"
    named.write_bytes(case.server.authority().read_bytes())
    connection = replace(case.connection(case.database()), tls="verify-ca", ca_file=str(named))
    loader = look_at_target(connection, Interrupt()).loader
    loader.run(["SELECT 1"], interrupt=Interrupt())
    # As if another server answered now.
    named.write_bytes(foreign.read_bytes())
    with pytest.raises(TargetFailedError, match="restarted meanwhile"):
        loader.run(["SELECT 1"], interrupt=Interrupt())
    with pytest.raises(TargetFailedError, match="restarted meanwhile"):
        loader.server.raw("SELECT 1", interrupt=Interrupt())
    with pytest.raises(TargetRefusedError, match="ca-secret"):
        look_at_target(connection, Interrupt())
