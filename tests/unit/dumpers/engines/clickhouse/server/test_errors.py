import pytest

from dumpers.engines.clickhouse.restore.script_runner import _EXISTING
from dumpers.engines.clickhouse.server.client import _REFUSALS
from dumpers.engines.clickhouse.server.errors import (
    ClickHouseError,
    code_of,
    cure,
    cure_of,
    read_error,
    shorten,
)
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
def test_only_a_table_that_is_gone_has_thatcure_of(*, code: int, gone: bool) -> None:
    assert bool(cure_of(failed(f"Code: {code}. DB::Exception: …"))) is gone


@pytest.mark.parametrize(
    ("code", "there"),
    [(609, True), (670, True), (60, False), (6090, False), (6, False), (67, False), (None, False)],
)
def test_what_a_restore_leaves_as_it_is(*, code: int | None, there: bool) -> None:
    assert (code in _EXISTING) is there


def test_a_code_of_a_message_is_none_of_the_error() -> None:
    assert not cure_of(failed("Code: 241. DB::Exception: Code: 60 was said by another server"))


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


COLUMNS = ", ".join(f"column_{number}" for number in range(1000))


IN_SCOPE = f"Code: 47. DB::Exception: Unknown identifier `x`. In scope SELECT {COLUMNS} FROM d.t. "
SYNTAX = "Code: 62. DB::Exception: Syntax error: failed at position 31 (y) (line 1, col 31): "
MISSING = "Code: 47. DB::Exception: Missing columns: 'x' while processing query: "


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Code: 241. DB::Exception:  Memory\nlimit", "Code: 241. DB::Exception: Memory limit"),
        (
            f"{IN_SCOPE}(UNKNOWN_IDENTIFIER) (version 26.9)",
            f"{IN_SCOPE.partition('SELECT')[0]}…. (UNKNOWN_IDENTIFIER) (version 26.9)",
        ),
        (
            f"{SYNTAX}y {COLUMNS}. Expected one of: token. (SYNTAX_ERROR)",
            f"{SYNTAX}…. Expected one of: token. (SYNTAX_ERROR)",
        ),
        (
            f"{MISSING}'SELECT {COLUMNS}', required columns: 'x'. (UNKNOWN_IDENTIFIER)",
            f"{MISSING}…, required columns: 'x'. (UNKNOWN_IDENTIFIER)",
        ),
    ],
)
def test_queries_are_left_out_of_what_a_server_says(said: str, shown: str) -> None:
    assert shorten(said) == shown


def test_the_beginning_and_the_end_of_what_a_server_says_are_kept() -> None:
    shown = shorten(f"Code: 1. DB::Exception: {'a' * 900} (NAME) (version 1)")
    assert shown.startswith("Code: 1. DB::Exception: aaa")
    assert shown.endswith("aaa (NAME) (version 1)")
    assert len(shown) < 500


@pytest.mark.parametrize(
    ("said", "code", "word"),
    [
        ("Port 9000 is for clickhouse-client program.", None, "8123"),
        ("Code: 164. DB::Exception: Cannot modify in readonly mode", 164, "readonly = 2"),
        ("Code: 452. DB::Exception: Setting x should not be changed", 452, "constraint"),
        ("Code: 241. DB::Exception: Memory limit", 241, ""),
    ],
)
def test_what_helps_stands_behind_an_error(said: str, code: int | None, word: str) -> None:
    helps = cure(said, code)
    assert (word in helps) if word else not helps
