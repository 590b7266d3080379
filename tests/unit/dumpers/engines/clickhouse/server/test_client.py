import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.engines.clickhouse.server.client import _login_headers
from dumpers.engines.clickhouse.server.sql import remote
from tests.unit.dumpers.engines.clickhouse.parts import server


@pytest.mark.parametrize(
    "password", ["word", "it's \\ a  'long' one", "ends in \\", "'quoted'", "two\nlines"]
)
def test_a_cut_text_never_shows_a_part_of_the_password(password: str) -> None:
    behind = server("chi", address="chi-1:9000", password=password)
    source = remote("chi-1:9000", "d", "t", username="u", password=password)
    text = f"Code: 62. DB::Exception: failed at position 9 ('SELECT a FROM {source} FORMAT Native')"
    begins = text.index("'u', ") + len("'u', ")
    for end in range(begins + 1, len(text)):
        shown = behind.safe(text[:end])
        assert shown.startswith(f"{text[:begins]}'…'")
        assert password not in shown[begins:]
    assert behind.safe(text) == f"{text[:begins]}'…') FORMAT Native')"


@given(st.text())
def test_words_of_a_server_that_is_asked_itself_stay(text: str) -> None:
    assert server("chi", password="word").safe(text) == text


@pytest.mark.parametrize(
    ("password", "headers"),
    [
        ("word", {"X-ClickHouse-User": "u", "X-ClickHouse-Key": "word"}),
        ("", {"X-ClickHouse-User": "u"}),
        ("zü", {"X-ClickHouse-User": "u", "X-ClickHouse-Key": "z\u00c3\u00bc"}),
        # What a header would lose.
        ("word\n", {"Authorization": "Basic dTp3b3JkCg=="}),
        (" word", {"Authorization": "Basic dTogd29yZA=="}),
    ],
)
def test_a_login_arrives_as_it_is(password: str, headers: dict[str, str]) -> None:
    assert _login_headers("u", password) == headers
