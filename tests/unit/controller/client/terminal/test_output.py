import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from controller.client.terminal import output
from controller.client.terminal.errors import CommandError
from controller.client.terminal.output import Column, table_lines

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)
COLUMNS = (Column(title="NAME", shrink=True), Column(title="SIZE", right=True), Column(title="X"))


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (None, ""),
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.0 KiB"),
        (1024**2 - 1, "1.0 MiB"),
        (15 * 1024**3, "15 GiB"),
        (5000 * 1024**5, "5000 PiB"),
    ],
)
def test_sizes_for_people(count: int | None, text: str) -> None:
    assert output.size(count) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h"), (172800, "2 d")],
)
def test_ages_for_people(seconds: int, text: str) -> None:
    moment = NOW - timedelta(seconds=seconds)
    assert output.age(moment, NOW) == f"{text} ago"
    assert output.duration(seconds) == text
    if seconds:
        assert output.age(NOW + timedelta(seconds=seconds), NOW) == f"in {text}"


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-01-10T12:00:00Z", NOW),
        ("2026-01-10T13:00:00+01:00", NOW),
        # Without a zone: UTC, as all times of records are.
        ("2026-01-10T12:00:00", NOW),
        ("yesterday", None),
        ("0001-01-01T00:00:00+14:00", None),
        ("9999-12-31T23:59:59-14:00", None),
        (None, None),
    ],
)
def test_times_are_read_as_utc(text: object, moment: datetime | None) -> None:
    assert output.moment_of(text) == moment
    if moment:
        assert output.utc(moment) == "2026-01-10T12:00:00Z"
        assert output.clock(moment) == "2026-01-10 12:00 UTC"


def test_a_table_is_aligned_and_drops_what_is_empty_everywhere() -> None:
    assert table_lines(COLUMNS, [("a", "1 B", ""), ("bcd", "22 B", "-")], None) == [
        "NAME  SIZE",
        "a      1 B",
        "bcd   22 B",
    ]


def test_only_what_may_shrink_is_cut_and_only_on_a_terminal() -> None:
    rows = [("a-very-long-name", "1 B", "end")]
    assert table_lines(COLUMNS, rows, None)[1] == "a-very-long-name   1 B  end"
    assert table_lines(COLUMNS, rows, 20)[1] == "a-very-l…   1 B  end"


def test_what_a_terminal_would_obey_is_left_out() -> None:
    assert table_lines(COLUMNS, [("a\x1b[31m\nb", "", "x")], None)[1] == "a [31m b  x"


def test_a_remark_is_one_line_without_what_a_terminal_would_obey(
    capsys: pytest.CaptureFixture[str],
) -> None:
    output.note("no record of a\x1b[31mb\nc\u202ed\ud800")
    assert capsys.readouterr().err == "no record of a [31mb c d \n"


@given(
    st.lists(st.tuples(st.text(max_size=30), st.text(max_size=9), st.text(max_size=9)), max_size=4),
    st.integers(1, 60),
)
def test_no_table_is_wider_than_the_terminal(rows: list[tuple[str, str, str]], width: int) -> None:
    assert all(len(line) <= width for line in table_lines(COLUMNS, rows, width))
    assert len(table_lines(COLUMNS, rows, width)) == len(rows) + 1


def test_documents_are_the_same_in_json_and_yaml(capsys: pytest.CaptureFixture[str]) -> None:
    yaml = pytest.importorskip("yaml")
    document = {"b": [1, None, "ü"], "a": {"x": True}}
    output.write_document(document, "json")
    assert json.loads(capsys.readouterr().out) == document
    output.write_document(document, "yaml")
    assert yaml.safe_load(capsys.readouterr().out) == document


def test_yaml_without_its_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    with pytest.raises(CommandError, match="pyyaml"):
        output.write_document({}, "yaml")
