import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.repository.retention.duration import Duration
from dumpers.repository.retention.policy import (
    UNLIMITED,
    Policy,
    PolicyError,
    Word,
    parse_policy,
    print_policy,
)
from tests.unit.dumpers.repository.retention.policies import POLICIES


def test_every_word_is_read() -> None:
    text = (
        "keep-last=7,keep-hourly=24,keep-daily=14,keep-weekly=8,keep-monthly=12,keep-yearly=3,"
        "keep-within=30d,keep-within-hourly=2d,keep-within-daily=7d,keep-within-weekly=1m,"
        "keep-within-monthly=1y,keep-within-yearly=75y"
    )
    policy = parse_policy(text)
    assert policy is not None
    assert (policy.counts[Word.WEEKLY], policy.ages[Word.WITHIN]) == (8, Duration(days=30))
    assert {*policy.counts, *policy.ages} == set(Word)
    assert str(policy) == text


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("keep-latest=2", Policy(counts={Word.LAST: 2}, ages={})),
        ("keep-annual=2", Policy(counts={Word.YEARLY: 2}, ages={})),
        ("keep-yearly=unlimited", Policy(counts={Word.YEARLY: UNLIMITED}, ages={})),
        (" keep-last = 7 , keep-daily=007 ", Policy(counts={Word.LAST: 7, Word.DAILY: 7}, ages={})),
        # Zero is as if the word were not there.
        ("keep-last=1,keep-daily=0,keep-within=0h", Policy(counts={Word.LAST: 1}, ages={})),
        (
            "keep-within=1y5m7d2h",
            Policy(counts={}, ages={Word.WITHIN: Duration(years=1, months=5, days=7, hours=2)}),
        ),
        ("none", None),
        (" none ", None),
    ],
)
def test_a_policy_is_read(text: str, policy: Policy | None) -> None:
    assert parse_policy(text) == policy


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty: write none, or a policy such as keep-last=7"),
        ("keep-dayly=3", "column 1: 'keep-dayly' is no word of a policy: did you mean keep-daily?"),
        ("keep-last=3, kep-daily=3", "column 14: 'kep-daily' is no word of a policy"),
        ("30d", "column 1: '30d' is an age alone: write keep-within=30d"),
        ("keep-tag=3", "'keep-tag' is no word of a policy"),
        ("Keep-last=3", "did you mean keep-last? There are keep-last, keep-hourly"),
        ("keep-last", "column 1: 'keep-last' has no amount: write keep-last=7"),
        ("keep-within", "column 1: 'keep-within' has no amount: write keep-within=30d"),
        ("keep-last=3,,keep-daily=3", "column 13: nothing stands between two commas"),
        ("keep-last=3,", "column 13: nothing stands between two commas"),
        ("keep-last=", "column 11: is no number of backups: write unlimited, or a whole number"),
        ("keep-last=-1", "column 11: '-1' is no number of backups"),
        ("keep-last=3.5", "column 11: '3.5' is no number of backups"),
        ("keep-last=٣", "column 11: '٣' is no number of backups"),
        ("keep-last=7d", "column 11: '7d' is no number of backups"),
        ("keep-last=" + "9" * 5000, f"column 11: '{'9' * 40}…' is no number of backups"),
        ("keep-last=1=2", "column 11: '1=2' is no number of backups"),
        ("keep-last=1,keep-within=30", "column 25: '30' is no age: write numbers of at most six"),
        ("keep-within= unlimited", "column 14: 'unlimited' is no age"),
        ("keep-within=1d2d", "column 13: '1d2d' is no age: it has the unit d twice"),
        ("keep-within=-1d", "column 13: '-1d' is no age"),
        ("keep-within=1w", "column 13: '1w' is no age"),
        ("keep-daily=7,keep-daily=8", "column 14: 'keep-daily=8' gives keep-daily a second time"),
        ("keep-last=7,keep-latest=8", "gives keep-last a second time: leave one of them"),
        ("keep-last=7,none", "column 13: 'none' stands alone or not at all"),
        ("none,keep-last=7", "column 1: 'none' stands alone or not at all"),
        ("keep-last=0", "keeps nothing: every amount in it is zero. Write none to keep everything"),
        ("keep-last=0,keep-within=0d", "keeps nothing"),
    ],
)
def test_a_fault_is_named_with_its_place(text: str, message: str) -> None:
    with pytest.raises(PolicyError) as caught:
        parse_policy(text)
    assert message in str(caught.value)


@given(POLICIES | st.none())
def test_what_is_printed_reads_as_it_was(policy: Policy | None) -> None:
    assert parse_policy(print_policy(policy)) == policy


@given(st.text() | st.text("keep-lastwihny=,0123456789dmuo "))
def test_no_text_does_anything_but_parse_or_name_its_fault(text: str) -> None:
    fault = ""
    try:
        assert parse_policy(print_policy(parse_policy(text))) == parse_policy(text)
    except PolicyError as error:
        fault = str(error)
    assert len(fault) < 500
