"""How the connection is secured, as the job asks for it."""

from pathlib import Path

import pytest

from dumpers.runtime.errors import KsnapshotError
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
