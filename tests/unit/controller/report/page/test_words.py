import pytest

from controller.report.page.words import counted, duration, moment, shortened


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (0.25, "0.25 s"),
        (9.04, "9.04 s"),
        (41, "41 s"),
        (59.94, "59.9 s"),
        (60, "1 min"),
        (754, "13 min"),
        (3600, "1 h 0 min"),
        (11100, "3 h 5 min"),
        (172799, "47 h 59 min"),
        (187200, "2 d 4 h"),
    ],
)
def test_a_time_span(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("2026-01-02T03:04:05Z", "2026-01-02 03:04"),
        ("2026-01-02T03:04:05+02:00", "2026-01-02 01:04"),
        ("<b>", "&lt;b&gt;"),
        ("0001-01-01T00:00:00+14:00", "0001-01-01T00:00:00+14:00"),
        ("", ""),
    ],
)
def test_a_moment(given: str, shown: str) -> None:
    assert f">{shown}<" in moment(given)


def test_long_messages_are_cut_and_numbers_have_their_noun() -> None:
    assert shortened("m" * 500) == "m" * 500
    assert shortened("m" * 501) == "m" * 500 + "…"
    assert [counted(number, "run", "runs") for number in (0, 1, 2)] == ["0 runs", "1 run", "2 runs"]
