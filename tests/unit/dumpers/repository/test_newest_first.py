from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dumpers.repository.catalogue import group_keys
from dumpers.repository.keys import stamp
from dumpers.repository.newest_first import Found, list_newest

PREFIX = "k/manifests/c/cj/"
NOW = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
NAMES = ("started.json", "manifest.json", "verified-20260601T000000Z.json")
PAGE = 1000


class Bucket:
    """Lists like a store: in order, a page at a time."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.keys = sorted(keys)
        self.requests = 0

    def page(self, since: str) -> tuple[list[str], bool]:
        self.requests += 1
        behind = [key for key in self.keys if key > since]
        return behind[:PAGE], len(behind) > PAGE


def bucket_of(moments: Sequence[datetime], names: Sequence[str] = NAMES) -> Bucket:
    return Bucket(
        [
            f"{PREFIX}{stamp(moment)}-{number:08x}/{name}"
            for number, moment in enumerate(moments)
            for name in names
        ]
    )


def newest(bucket: Bucket, *, before: str = "", limit: int = 20) -> Found:
    return list_newest(bucket.page, PREFIX, before=before, limit=limit, now=NOW)


@pytest.mark.parametrize("age", [timedelta(), timedelta(days=40), timedelta(days=900)])
@pytest.mark.parametrize(
    "rhythm",
    [
        *(timedelta(minutes=1), timedelta(minutes=15), timedelta(hours=1)),
        *(timedelta(days=1), timedelta(weeks=1)),
    ],
)
def test_the_first_page_of_ten_thousand_backups_takes_few_requests(
    rhythm: timedelta, age: timedelta
) -> None:
    count = min(10_000, (NOW - age - datetime(2020, 6, 1, tzinfo=UTC)) // rhythm)
    bucket = bucket_of([NOW - age - rhythm * number for number in range(count)])
    found = newest(bucket)
    assert list(found.folders) == sorted(group_keys(PREFIX, bucket.keys), reverse=True)[:20]
    # Each of the 20 manifests is another request, and 25 are allowed where backups are being made.
    assert bucket.requests <= (5 if age == timedelta() else 25)
    assert bool(found.next) == (count > 20)


@settings(max_examples=25)
@given(
    st.lists(
        st.datetimes(datetime(2019, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
        max_size=60,
    ),
    st.integers(1, 25),
    st.sampled_from([NAMES[:1], NAMES, tuple(f"{number}.json" for number in range(400))]),
)
def test_page_after_page_is_everything(
    moments: list[datetime], limit: int, names: tuple[str, ...]
) -> None:
    bucket = bucket_of(moments, names)
    everything = sorted(group_keys(PREFIX, bucket.keys), reverse=True)
    seen: list[str] = []
    before = ""
    while True:
        found = newest(bucket, before=before, limit=limit)
        assert all(found.folders[name] == set(names) for name in found.folders)
        seen += found.folders
        if not found.next:
            break
        before = found.next
    assert seen == everything


def test_a_time_bounds_the_list() -> None:
    moments = [NOW - timedelta(hours=number) for number in range(100)]
    before = stamp(NOW - timedelta(hours=50) + timedelta(seconds=1))
    found = newest(bucket_of(moments), before=before, limit=3)
    assert [name[:15] for name in found.folders] == [
        stamp(NOW - timedelta(hours=number))[:15] for number in (50, 51, 52)
    ]


def test_many_runs_within_a_minute_are_listed_through() -> None:
    bucket = bucket_of([NOW] * 2000)
    found = newest(bucket)
    assert list(found.folders) == sorted(group_keys(PREFIX, bucket.keys), reverse=True)[:20]


def test_there_may_be_nothing() -> None:
    bucket = bucket_of([])
    assert newest(bucket) == Found(folders={}, next="")
    assert bucket.requests <= 5
