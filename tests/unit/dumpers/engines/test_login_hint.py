from typing import Any

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.login_hint import login_hint


def hint(**values: Any) -> str:
    return login_hint(Connection(host="db", port=1, **values))


@pytest.mark.parametrize(
    ("password", "words"),
    [
        ("s3cret\n", "the password ends in a line end: the Secret was probably made by `echo`"),
        ("s3cret\r\n", "ends in a line end"),
        ("\ns3cret", "begins with a line end"),
        ("s3cret ", "ends in a blank"),
        ("s3cret\t", "ends in a blank"),
        (" s3cret", "begins with a blank"),
        ('"s3cret"', "stands in quotes"),
        ("'s3cret'", "stands in quotes"),
        ("\ufeffs3cret", "does not show"),
        ("s3\u200bcret", "does not show"),
        ("s3\xa0cret", "does not show"),
    ],
)
def test_what_is_odd_is_named_and_the_password_is_not(password: str, words: str) -> None:
    assert words in hint(password=password)
    assert "s3" not in hint(password=password)


@pytest.mark.parametrize("password", ["", "s3cret", "with a blank", "'", "quo'te'", "Größe-1"])
def test_nothing_is_said_of_what_looks_right(password: str) -> None:
    assert hint(username="app", password=password) == ""


def test_every_part_of_a_login_is_looked_at() -> None:
    found = hint(username="app\n", password="x ", api_key="k\n")
    assert found.count(";") == 3
    assert "the user name ends in a line end" in found
    assert "the API key ends in a line end" in found
