import pytest

from dumpers.engines.postgresql.drill.roles import compare_globals

DUMPED = b"""\\restrict abc

SET default_transaction_read_only = off;

CREATE ROLE owner;
ALTER ROLE owner WITH NOSUPERUSER LOGIN PASSWORD 'SCRAM-SHA-256$secret';
CREATE ROLE postgres;
ALTER ROLE postgres WITH SUPERUSER PASSWORD 'SCRAM-SHA-256$first';
GRANT owner TO postgres;
GRANT owner TO member GRANTED BY postgres;
CREATE TABLESPACE fast OWNER owner LOCATION '/fast';
ALTER ROLE ALL SET work_mem TO '9MB';

--
-- Databases: encoding
--
-- Database zoo
\\set database 'zoo'
ALTER DATABASE :"database" OWNER TO owner;
GRANT CONNECT ON DATABASE :"database" TO owner;
-- End of database zoo
"""
# As the throwaway server has it: another first superuser, the drill's account, no settings of all.
RESTORED = (
    DUMPED.replace(b"abc", b"xyz")
    .replace(b"SCRAM-SHA-256$first", b"another")
    .replace(b"GRANT owner TO postgres;\n", b"CREATE ROLE ksnapshot_drill;\n")
    .replace(b"ALTER ROLE ALL SET work_mem TO '9MB';\n", b"")
    .replace(b"'/fast'", b"'/drill/tablespace-0'")
)


def test_what_a_restore_leaves_to_a_person_is_no_fault() -> None:
    found = compare_globals(DUMPED, RESTORED, first_role="postgres")
    assert found.faults == ()
    assert len(found.unproved) == 3
    assert "'postgres'" in found.unproved[0]


@pytest.mark.parametrize(
    ("was", "now", "named"),
    [
        (b"SHA-256$secret", b"SHA-256$other", "roles: `ALTER ROLE owner`"),
        (b"CREATE ROLE owner;", b"", "roles: `CREATE ROLE owner`"),
        (b"GRANT owner TO member", b"GRANT owner TO other", "roles: `GRANT owner TO member`"),
        (b"OWNER TO owner", b"OWNER TO other", "database zoo: `ALTER DATABASE`"),
        (b"GRANT CONNECT", b"GRANT CREATE", "database zoo: `GRANT CONNECT ON DATABASE`"),
    ],
)
def test_what_differs_is_named_without_its_secret(was: bytes, now: bytes, named: str) -> None:
    found = compare_globals(DUMPED, RESTORED.replace(was, now), first_role="postgres")
    assert any(fault.startswith(named) for fault in found.faults), found.faults
    assert not any("SCRAM" in fault for fault in found.faults)
