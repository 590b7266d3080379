import pytest

from dumpers.engines.clickhouse.catalog.write_rights import Right, lacking_by_grants

CREATE = Right(words="CREATE TABLE", database="shop")
DELETE = Right(words="ALTER DELETE", database="shop")


@pytest.mark.parametrize(
    ("grants", "right", "has"),
    [
        (["GRANT ALL ON *.* TO a WITH GRANT OPTION"], CREATE, True),
        (["GRANT CREATE TABLE ON shop.* TO a"], CREATE, True),
        (["GRANT SELECT, CREATE ON shop.* TO a"], CREATE, True),
        (["GRANT CREATE TABLE ON other.* TO a"], CREATE, False),
        (["GRANT CREATE TABLE ON shop.orders TO a"], CREATE, False),
        (["GRANT CREATE VIEW ON *.* TO a"], CREATE, False),
        (["GRANT SELECT ON *.* TO a"], CREATE, False),
        (["GRANT ALTER TABLE ON *.* TO a"], DELETE, True),
        (["GRANT ALTER ON shop.* TO a"], DELETE, True),
        (["GRANT ALTER UPDATE ON *.* TO a"], DELETE, False),
        ([], CREATE, False),
        # A role may give more; what is taken away is not known exactly.
        (["GRANT writer TO a"], CREATE, True),
        (["GRANT SELECT ON *.* TO a", "REVOKE SELECT ON x.* FROM a"], CREATE, True),
    ],
)
def test_grants_that_let_an_account_write(grants: list[str], right: Right, *, has: bool) -> None:
    assert lacking_by_grants(grants, [right]) == ([] if has else [right])


def test_a_right_is_shown_as_grant_has_it() -> None:
    assert str(Right(words="INSERT", database="o`dd")) == "INSERT ON `o\\`dd`.*"
