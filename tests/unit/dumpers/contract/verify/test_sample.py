import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.verify.sample import Sample, parse_sample


@given(st.integers(1, 999_999).flatmap(lambda of: st.tuples(st.integers(1, of), st.just(of))))
def test_what_is_written_is_what_is_read(given_: tuple[int, int]) -> None:
    sample = Sample(parts=given_[0], of=given_[1])
    assert parse_sample(str(sample)) == sample


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "must be a share of the backups as n/m"),
        ("7", "must be a share of the backups as n/m"),
        ("1/7/2", "must be a share of the backups as n/m"),
        ("-1/7", "must be a share of the backups as n/m"),
        ("10%", "must be a share of the backups as n/m"),
        ("१/७", "must be a share of the backups as n/m"),
        ("1/0000000000007", "must be a share of the backups as n/m"),
        ("0/7", "n must be at least 1"),
        ("8/7", "at most m"),
        ("1/0", "at most m"),
        ("x" * 99, f"is '{'x' * 40}…'"),
    ],
)
def test_what_is_no_share_is_refused_with_the_fix(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parse_sample(text)


def test_blanks_do_not_count() -> None:
    assert parse_sample(" 2 / 14 ") == Sample(parts=2, of=14)
