from datetime import UTC, datetime, timedelta, timezone
from urllib.parse import unquote_to_bytes

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.contract.key_names import normalise_path, quote
from dumpers.repository.keys import (
    Run,
    RunFolder,
    drill_name,
    read_drill,
    read_proof,
    read_told,
    restored_name,
    unread_name,
    verification_name,
)

STARTED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def run(*, path: str = "ksnapshot", cronjob: str = "cj", id_: str = "r1") -> Run:
    return Run(path=path, cluster="c", cronjob=cronjob, host="pod-1", started=STARTED, id=id_)


@pytest.mark.parametrize(
    ("name", "quoted"),
    [
        ("shop", "shop"),
        ("My_shop-1.2", "My_shop-1.2"),
        ("a/b", "a%2Fb"),
        ("ü", "%C3%BC"),
        ("50%", "50%25"),
        ("a b$'\"", "a%20b%24%27%22"),
    ],
)
def test_quote(name: str, quoted: str) -> None:
    assert quote(name) == quoted


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_quote_loses_nothing(name: str) -> None:
    assert unquote_to_bytes(quote(name)) == name.encode()


@pytest.mark.parametrize(
    ("path", "normal"),
    [("/a/b/", "a/b"), ("a", "a"), ("", ""), ("/", ""), ("//a//", "/a/")],
)
def test_normalise_path(path: str, normal: str) -> None:
    assert normalise_path(path) == normal


def key(path: str, *, encrypted: bool) -> str:
    return run(path=path).dump_key(
        engine="postgresql", name="shop", ending=".sql", encrypted=encrypted
    )


@pytest.mark.parametrize(
    ("path", "encrypted", "expected"),
    [
        (
            "ksnapshot",
            True,
            "ksnapshot/2026/01/02/postgresql/dump-pod-1-shop-20260102030405.sql.gz.age",
        ),
        ("", False, "2026/01/02/postgresql/dump-pod-1-shop-20260102030405.sql.gz"),
    ],
)
def test_dump_key_is_that_of_0_6_0(path: str, expected: str, *, encrypted: bool) -> None:
    assert key(path, encrypted=encrypted) == expected


def test_the_ending_says_how_an_object_is_compressed() -> None:
    [clear, encrypted] = [
        run().dump_key(
            engine="mysql", name="shop", ending=".sql", encrypted=encrypted, compression="zstd"
        )
        for encrypted in (False, True)
    ]
    assert clear == "ksnapshot/2026/01/02/mysql/dump-pod-1-shop-20260102030405.sql.zst"
    assert encrypted == f"{clear}.age"


def test_parts_lie_in_a_folder_that_is_called_as_the_whole() -> None:
    [whole, part] = [
        run().dump_key(engine="mysql", name="a/b", part=part, ending=".sql", encrypted=True)
        for part in ((), ("c.d/é", "t"))
    ]
    folder = "ksnapshot/2026/01/02/mysql/dump-pod-1-a%2Fb-20260102030405"
    assert whole == f"{folder}.sql.gz.age"
    assert part == f"{folder}/c.d%2F%C3%A9/t.sql.gz.age"


def test_long_names_of_parts_stay_apart_in_keys_that_stores_take() -> None:
    names = ["中" * 100 + ending for ending in ("a", "b")]
    keys = {
        run().dump_key(
            engine="mysql", name="shop", part=(name, name), ending=".sql", encrypted=True
        )
        for name in names
    }
    assert len(keys) == len(names)
    assert all(len(key) < 600 for key in keys)


def test_records_lie_beside_the_dumps() -> None:
    assert run().started_key == "ksnapshot/manifests/c/cj/20260102T030405Z-r1/started.json"
    assert run().manifest_key == "ksnapshot/manifests/c/cj/20260102T030405Z-r1/manifest.json"


def test_a_run_starts_in_utc() -> None:
    local = STARTED.astimezone(timezone(timedelta(hours=1)))
    with pytest.raises(ValueError, match="UTC"):
        Run(path="", cluster="c", cronjob="cj", host="h", started=local, id="r")


def test_the_time_stands_first_where_it_did_in_0_6_0() -> None:
    key = run().dump_key(
        engine="elasticsearch", name="data", ending=".jsonl", encrypted=True, time_first=True
    )
    assert key == ("ksnapshot/2026/01/02/elasticsearch/dump-pod-1-202601020304-data.jsonl.gz.age")


@pytest.mark.parametrize(
    ("name", "folder"),
    [
        ("20260102T030405Z-r1", RunFolder(started=STARTED, id="r1")),
        ("20260102T030405Z-a%2Fb-c", RunFolder(started=STARTED, id="a/b-c")),
        ("20260102T030405Z", None),
        ("20260102T030405Z-", None),
        ("20261302T030405Z-r1", None),
        ("r1", None),
        ("", None),
    ],
)
def test_a_folder_names_its_run(name: str, folder: RunFolder | None) -> None:
    assert RunFolder.parse(name) == folder
    if folder:
        assert run(id_=folder.id).record_prefix.endswith(f"/{name}/")


def test_a_verdict_is_read_from_its_name() -> None:
    for good in (True, False):
        assert read_proof(verification_name(STARTED, good=good)) == (STARTED, good)
    assert read_proof(restored_name(STARTED)) is None
    assert read_proof("verified-20261302T030405Z.json") is None


def test_the_verdict_of_a_drill_is_read_from_its_name() -> None:
    for good in (True, False):
        assert read_drill(drill_name(STARTED, good=good)) == (STARTED, good)
        assert read_proof(drill_name(STARTED, good=good)) is None
        assert read_drill(verification_name(STARTED, good=good)) is None


def test_a_record_with_a_time_in_its_name_says_what_was_found_out() -> None:
    assert read_told(restored_name(STARTED)) == ("restored", STARTED)
    assert read_told(unread_name(STARTED)) == ("unread", STARTED)
    for good, kind in ((True, "drilled"), (False, "drill-failed")):
        assert read_told(drill_name(STARTED, good=good)) == (kind, STARTED)
    for name in ("pinned-20260102T030405Z.json", "verified-20261302T030405Z.json", "manifest.json"):
        assert read_told(name) is None
