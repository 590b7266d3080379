from dataclasses import replace

import pytest

from dumpers.engines.clickhouse.logical.identity import identity
from dumpers.engines.clickhouse.logical.plan import TableRead
from tests.unit.dumpers.engines.clickhouse.parts import item, member, table

READ = item(member(1, 1), member(1, 2))


def test_which_copy_is_read_makes_no_other_object() -> None:
    assert identity([item(member(1, 2), member(1, 1))]) == identity([READ])


@pytest.mark.parametrize(
    "other",
    [
        replace(READ, label="s1r1"),
        replace(READ, partitions=("202601",)),
        # Its replica is the first one now, or is no more: a restore goes by what its object says.
        replace(READ, redundant=True),
        item(member(1, 1), of=table("t", create="CREATE TABLE d.t (b Int8)")),
        item(member(1, 1), of=table("t", columns=("a", "b"))),
        item(member(1, 1), of=table("u")),
    ],
    ids=["place", "partitions", "redundant", "statement", "columns", "name"],
)
def test_what_a_restore_would_take_otherwise_is_another_object(other: TableRead) -> None:
    assert identity([other]) != identity([READ])
