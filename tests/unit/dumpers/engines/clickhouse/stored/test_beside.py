import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.clickhouse.stored.beside import table_of_view, why_not_beside
from dumpers.engines.clickhouse.stored.contents import read_contents
from dumpers.engines.clickhouse.stored.wanted import choose
from tests.unit.dumpers.engines.clickhouse.stored.backups import BACKUP

CONTENTS = read_contents(BACKUP)


@pytest.mark.parametrize(
    ("databases", "key", "why"),
    [
        ((), ("web", "queue"), "two Kafka tables"),
        ((), ("web", "clock"), "by the clock"),
        ((), ("web", "to_orders"), ""),
        # It would fill the live table.
        (("web",), ("web", "to_orders"), "not restored beside: shop.orders"),
        # It would be filled by the live table.
        (("shop",), ("shop", "sums"), ""),
        (("web",), ("web", "plain"), ""),
        ((), ("web", "hits"), ""),
    ],
)
def test_what_is_not_made_beside(
    databases: tuple[str, ...], key: tuple[str, str], why: str
) -> None:
    request = RestoreRequest(mode=RestoreMode.BESIDE, databases=databases)
    found = why_not_beside(CONTENTS.made[key], choose(CONTENTS, request, ""))
    assert why in found
    assert bool(found) is bool(why)


def test_a_table_like_that_of_a_view() -> None:
    plain = table_of_view(CONTENTS.made["shop", "sums"])
    assert plain == "CREATE TABLE shop.sums (a UInt8) ENGINE = Log"
