import pytest

from dumpers.engines.clickhouse.catalog.accounts import hides_password, subject_of


@pytest.mark.parametrize(
    ("statement", "subject"),
    [
        ("CREATE USER bob IDENTIFIED WITH sha256_hash BY 'USER x'", ("USER", "bob")),
        ("CREATE USER `bo'b x` HOST ANY SETTINGS PROFILE 'p'", ("USER", "bo'b x")),
        ("CREATE USER default IDENTIFIED WITH no_password", ("USER", "default")),
        ("CREATE ROLE reader SETTINGS PROFILE `p`", ("ROLE", "reader")),
        ("CREATE SETTINGS PROFILE web SETTINGS readonly = 2 TO ROLE x", ("PROFILE", "web")),
        ("CREATE QUOTA q FOR INTERVAL 1 hour MAX queries = 5 TO bob", ("QUOTA", "q")),
        ("GRANT SELECT ON d.t TO bob", ("USER", "bob")),
        ("GRANT SELECT(`to`) ON d.`TO x` TO `default` WITH GRANT OPTION", ("USER", "default")),
        ("GRANT SELECT(to) ON d.t TO bob", ("USER", "bob")),
        ("GRANT reader TO bob WITH ADMIN OPTION", ("USER", "bob")),
        ("CREATE ROW POLICY p ON d.t FOR SELECT USING 1 TO ALL", ("", "")),
    ],
)
def test_what_a_statement_is_about(statement: str, subject: tuple[str, str]) -> None:
    assert subject_of(statement) == subject


@pytest.mark.parametrize(
    ("statement", "hides"),
    [
        ("CREATE USER a IDENTIFIED WITH sha256_password SETTINGS PROFILE `p`", True),
        ("CREATE USER a IDENTIFIED WITH bcrypt_password", True),
        ("CREATE USER a IDENTIFIED WITH sha256_hash BY 'AB' SALT 'x'", False),
        ("CREATE USER a IDENTIFIED WITH no_password", False),
        ("CREATE USER a IDENTIFIED WITH ldap SERVER 's'", False),
        ("CREATE USER a IDENTIFIED WITH sha256_password BY 'x', sha256_password", False),
        ("GRANT SELECT ON *.* TO a WITH GRANT OPTION", False),
        ("CREATE ROLE r", False),
    ],
)
def test_whose_password_is_hidden(statement: str, *, hides: bool) -> None:
    assert hides_password(statement) is hides
