import pytest

from dumpers.engines.clickhouse.catalog.rights import covers


@pytest.mark.parametrize(
    ("grants", "databases", "covered"),
    [
        (["GRANT SELECT ON *.* TO ksnapshot"], None, True),
        (["GRANT ALL ON *.* TO admin WITH GRANT OPTION"], None, True),
        (["GRANT SHOW, SELECT, ALTER TABLE ON *.* TO `a b`"], None, True),
        (["GRANT SHOW ON *.* TO x"], None, False),
        (["GRANT SELECT ON shop.* TO x"], None, False),
        (["GRANT CREATE SELECTION ON *.* TO x"], None, False),
        (["GRANT SELECT(a) ON *.* TO x"], None, False),
        (["GRANT SHOW, SELECT(a, b) ON shop.* TO x"], ["shop"], False),
        (["GRANT SELECT ON shop.* TO x"], ["shop"], True),
        (["GRANT SELECT ON `a b`.* TO x", "GRANT SELECT ON shop.* TO x"], ["a b", "shop"], True),
        (["GRANT SELECT ON shop.* TO x"], ["shop", "crm"], False),
        (["GRANT SELECT ON shop.orders TO x"], ["shop"], False),
        (["GRANT SELECT ON *.* TO x", "REVOKE SELECT ON shop.secret FROM x"], None, False),
        (["GRANT reader TO x"], None, False),
        (["GRANT reader TO x", "GRANT SELECT ON *.* TO reader"], None, True),
        (["GRANT TABLE ENGINE ON * TO x"], None, False),
    ],
)
def test_what_grants_let_an_account_read(
    grants: list[str], databases: list[str] | None, *, covered: bool
) -> None:
    assert covers(grants, databases) is covered
