"""What `drill-sql` may hold, and for which engines."""

import pytest

from controller.model.status import Reason, Rejected
from controller.workloads.request import Request, parse_request
from dumpers.engines.registry import ENGINES
from tests.fakes.worlds import asks, settings


@pytest.mark.parametrize("type_", [engine.type for engine in ENGINES])
def test_only_engines_of_sql_take_checks(type_: str) -> None:
    found = parse_request(asks(type=type_, drill_sql="SELECT true;\nSELECT 1"), settings())
    if type_ in {"postgresql", "mysql", "clickhouse"}:
        assert isinstance(found, Request)
        assert found.drill_sql == "SELECT true;\nSELECT 1"
    else:
        assert isinstance(found, Rejected)
        assert found.reason is Reason.ANNOTATION_INVALID
        assert (
            f"drill-sql is 'SELECT true;\\nSELECT 1': {type_} is not asked by SQL" in found.message
        )


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (";", "no statement before"),
        ("-- nothing", "must hold a statement"),
        ("SELECT 1;\n" * 33, "at most 32 statements"),
        ("x" * 8193, "at most 8192 characters"),
        ("é" * 5000, "at most 8192 bytes"),
    ],
)
def test_what_cannot_be_read_is_refused(text: str, why: str) -> None:
    found = parse_request(asks(type="postgresql", drill_sql=text), settings())
    assert isinstance(found, Rejected)
    assert found.reason is Reason.ANNOTATION_INVALID
    assert why in found.message


def test_without_the_annotation_nothing_is_asked() -> None:
    found = parse_request(asks(type="postgresql"), settings())
    assert isinstance(found, Request)
    assert found.drill_sql == ""
