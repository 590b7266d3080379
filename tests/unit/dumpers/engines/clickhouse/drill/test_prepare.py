"""Making a throwaway server ready."""

import pytest

from dumpers.engines.clickhouse.drill.prepare import binds_the_drill, makes_user


@pytest.mark.parametrize(
    ("text", "makes"),
    [
        ("CREATE USER admin IDENTIFIED WITH sha256_hash BY 'A'", True),
        ("CREATE USER `admin`", True),
        ("CREATE USER other DEFAULT ROLE admin", False),
        ("GRANT SELECT ON *.* TO admin", False),
        ("CREATE ROLE admin", False),
        ("CREATE", False),
    ],
)
def test_which_statement_makes_an_account(text: str, *, makes: bool) -> None:
    assert makes_user(text, "admin") is makes


@pytest.mark.parametrize(
    ("text", "binds"),
    [
        ("CREATE ROW POLICY p ON shop.a FOR SELECT USING k = 1 TO ALL", True),
        ("CREATE ROW POLICY p ON shop.a FOR SELECT USING k = 1 TO ALL EXCEPT admin", True),
        ("CREATE ROW POLICY p ON shop.a FOR SELECT USING k = 1 TO reader", False),
        ("CREATE ROW POLICY p ON shop.a FOR SELECT USING default = 1 TO reader", False),
        ("CREATE MASKING POLICY p ON shop.a UPDATE k = 0 TO ALL", True),
        ("CREATE SETTINGS PROFILE p SETTINGS max_execution_time = 1 TO default", True),
        ("CREATE SETTINGS PROFILE p SETTINGS max_execution_time = 1", False),
        ("CREATE QUOTA q FOR INTERVAL 1 hour MAX queries = 5 TO ALL", True),
        ("CREATE USER reader DEFAULT ROLE ALL", False),
        ("GRANT ALL ON *.* TO default", False),
    ],
)
def test_what_binds_the_account_of_a_drill(text: str, *, binds: bool) -> None:
    assert binds_the_drill(text) is binds
