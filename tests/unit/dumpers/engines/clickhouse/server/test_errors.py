import pytest

from dumpers.engines.clickhouse.logical.script_runner import _EXISTING
from dumpers.engines.clickhouse.logical.table_read import _cure
from dumpers.engines.clickhouse.server.client import _REFUSALS
from dumpers.engines.clickhouse.server.errors import ClickHouseError, code_of, read_error
from dumpers.runtime.errors import SourceFailedError, SourceRefusedError
from dumpers.streams.http import Answer
from tests.unit.dumpers.engines.clickhouse.parts import server


@pytest.mark.parametrize(
    ("header", "text", "code"),
    [
        ("", "Code: 60. DB::Exception: Table d.t does not exist. (UNKNOWN_TABLE)", 60),
        ("", "Code: 600. DB::Exception: x", 600),
        ("", "Code: 47. DB::Exception: Unknown identifier", 47),
        ("", "Code: 473. DB::Exception: Possible deadlock avoided (DEADLOCK_AVOIDED)", 473),
        ("", "Code: 60, e.displayText() = DB::Exception: Table d.t doesn't exist.", 60),
        ("", "Poco::Exception. Code: 1000, e.code() = 111, Connection refused", 1000),
        ("", "std::exception. Code: 1001, type: std::length_error", 1001),
        ("60", "Code: 279. DB::Exception: other", 60),
        ("473", "", 473),
        ("", "something, Code: 60. DB::Exception", None),
        ("", "Bad gateway (Code: 60)", None),
        ("no number", "no code", None),
        ("", "", None),
    ],
)
def test_a_code_is_the_header_s_or_stands_at_the_start(
    header: str, text: str, code: int | None
) -> None:
    assert read_error(text, header=header).code == code


def failed(text: str) -> SourceFailedError:
    error = SourceFailedError(f"chi:8123: {text}")
    error.__cause__ = read_error(text)
    return error


@pytest.mark.parametrize(
    ("code", "gone"),
    [
        *((60, True), (47, True), (81, True)),
        *((600, False), (609, False), (473, False), (470, False), (810, False), (6, False)),
    ],
)
def test_only_a_table_that_is_gone_has_that_cure(*, code: int, gone: bool) -> None:
    assert bool(_cure(failed(f"Code: {code}. DB::Exception: …"))) is gone


@pytest.mark.parametrize(
    ("code", "there"),
    [(609, True), (670, True), (60, False), (6090, False), (6, False), (67, False), (None, False)],
)
def test_what_a_restore_leaves_as_it_is(*, code: int | None, there: bool) -> None:
    assert (code in _EXISTING) is there


def test_a_code_of_a_message_is_none_of_the_error() -> None:
    assert not _cure(failed("Code: 241. DB::Exception: Code: 60 was said by another server"))


def test_a_code_is_found_behind_errors_that_say_more() -> None:
    outer = SourceRefusedError("said more")
    outer.__cause__ = failed("Code: 497. DB::Exception: Not enough privileges")
    assert code_of(outer) == 497
    assert code_of(SourceFailedError("Code: 60. of nobody")) is None
    assert code_of(ClickHouseError("", code=None)) is None


@pytest.mark.parametrize(
    ("header", "text", "kind", "code"),
    [
        ("516", "Code: 516. DB::Exception: u: Authentication failed", SourceRefusedError, 516),
        ("", "Code: 516. DB::Exception: u: Authentication failed", SourceRefusedError, 516),
        ("", "Code: 5160. DB::Exception: x", SourceFailedError, 5160),
        ("241", "Code: 241. DB::Exception: Code: 516 is in the query", SourceFailedError, 241),
        ("", "upstream says Code: 516", SourceFailedError, None),
    ],
)
def test_an_answer_is_judged_by_its_code(
    header: str, text: str, kind: type[Exception], code: int | None
) -> None:
    headers = {"x-clickhouse-exception-code": header} if header else {}
    answer = Answer(status=500, headers=headers)
    error = server("chi")._error(answer, text.encode())
    assert (type(error), code_of(error)) == (kind, code)
    assert 516 in _REFUSALS
