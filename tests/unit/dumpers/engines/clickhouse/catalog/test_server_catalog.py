import pytest

from dumpers.engines.clickhouse.catalog.server_catalog import _SEES_ALL, notes
from tests.unit.dumpers.engines.clickhouse.parts import holding, member, table


def test_each_note_is_made_once_with_those_that_it_is_about() -> None:
    everywhere, here = table("s", "Set"), table("b", "Buffer")
    found = notes(
        [
            holding(member(1, 1), [everywhere, here], notes=["all", "some"]),
            holding(member(1, 2), [everywhere], notes=["all"]),
            holding(member(2, 1), [everywhere, here], notes=["all", "some"]),
        ]
    )
    of_set, of_buffer = found[2:]
    assert found[:2] == ("all", "some (s1r1, s2r1)")
    assert of_set.startswith("d.s (Set): ")
    assert not of_set.endswith(")")
    assert of_buffer.startswith("d.b (Buffer): ")
    assert of_buffer.endswith(" (s1r1, s2r1)")


def test_one_server_is_not_named() -> None:
    assert notes([holding(member(), notes=["x"])]) == ("x",)
    assert notes([holding(member(), [table("t")])]) == ()
    assert notes([]) == ()


@pytest.mark.parametrize(
    ("grant", "all_"),
    [
        ("GRANT SELECT ON *.* TO ksnapshot", True),
        ("GRANT ALL ON *.* TO admin WITH GRANT OPTION", True),
        ("GRANT SHOW, SELECT, ALTER TABLE ON *.* TO `a b`", True),
        ("GRANT SHOW ON *.* TO x", False),
        ("GRANT SELECT ON shop.* TO x", False),
        ("GRANT SELECT ON *.* , SHOW ON d.* FROM x", False),
        ("REVOKE SELECT ON *.* FROM x", False),
        ("GRANT CREATE SELECTION ON *.* TO x", False),
    ],
)
def test_who_may_read_everything(grant: str, *, all_: bool) -> None:
    assert (_SEES_ALL.match(grant) is not None) is all_
