"""Deletions that somebody asks for: whole or not at all, and what stays is named."""

import secrets

import pytest

from dumpers.runs.retention.delete import DeletionRefusedError
from dumpers.runtime.errors import ConfigurationError
from tests.integration.dumpers.retention.pruned_world import World, fill
from tests.testbed.fixtures import Faults
from tests.testbed.proxies.faults import Rule, Status
from tests.testbed.stores.s3 import S3Server


@pytest.fixture
def world(s3: S3Server, bucket: str) -> World:
    return fill(World(s3=s3, bucket=bucket))


def test_chosen_backups_go_whatever_the_policy_says(world: World) -> None:
    before = world.left()
    foreseen, _ = world.delete("alpha", "alpha-0", "alpha-1", dry_run=True)
    assert (foreseen.deleted, foreseen.freed_bytes) == (2, 40)
    assert world.left() == before
    result, documents = world.delete("alpha", "alpha-0", "alpha-1")
    assert (result.deleted, result.freed_bytes, result.left) == (2, 40, 0)
    assert documents[-1] == {
        "delete": "end",
        "deleted": 2,
        "freed_bytes": 40,
        "left": 0,
        "dry_run": False,
    }
    assert [item["id"] for item in documents[:-1]] == ["alpha-1", "alpha-0"]
    assert before - world.left() == {key for key in before if "alpha-0" in key or "alpha-1" in key}


@pytest.mark.parametrize("wanted", [(), ("alpha-0", "alpha-4")], ids=["all", "some"])
def test_nothing_goes_where_one_is_pinned(world: World, wanted: tuple[str, ...]) -> None:
    before = world.left()
    with pytest.raises(DeletionRefusedError, match=r"nothing was deleted: alpha-4 of .* is pinned"):
        world.delete("alpha", *wanted)
    assert world.left() == before


def test_an_id_that_is_none_deletes_nothing(world: World) -> None:
    before = world.left()
    with pytest.raises(ConfigurationError, match="there is no backup 'alpha-9'; did you mean"):
        world.delete("alpha", "alpha-0", "alpha-9")
    assert world.left() == before


def test_ids_of_other_storages_are_named_and_passed_over(world: World) -> None:
    world.delete("delta")
    ids = ("delta-2", "alpha-9", "alpha-0")
    result, documents = world.delete("alpha", *ids, dry_run=True, skip_missing=True)
    assert result.deleted == 1
    named = [item["id"] for item in documents if item["delete"] == "missing"]
    assert named == ["delta-2", "alpha-9"]
    # The tombstone of a run that another storage may hold is no fault, either.
    swept, documents = world.delete("delta", "delta-2", skip_missing=True)
    assert (swept.succeeded, swept.deleted) == (True, 0)
    assert documents[0] == {"delete": "missing", "id": "delta-2"}
    with pytest.raises(DeletionRefusedError, match="it was removed already"):
        world.delete("delta", "delta-2")
    # What several fit is not passed over.
    with pytest.raises(ConfigurationError, match="fits"):
        world.delete("alpha", "alpha", skip_missing=True)


def test_all_of_a_cronjob_goes_with_what_crashes_left(world: World) -> None:
    result, _ = world.delete("delta")
    assert result.deleted == 3
    left = {key for key in world.left() if "delta" in key}
    # The tombstone of the sweep stays, as a run that was only suspended might come back.
    assert left == {"p/manifests/c/delta/20260530T120000Z-delta-2/manifest.json"}
    again, documents = world.delete("delta")
    assert (again.deleted, again.left) == (0, 1)
    assert documents[0]["why"].startswith("it was removed already")


@pytest.mark.parametrize(
    ("days", "deadline", "why"),
    [
        # Its pod may have another try, or not have ended.
        (0, 3600, "it may go on until 2026-06-01T13:15:00Z"),
        (3, None, "it had no deadline, so nothing says that it does not go on"),
    ],
)
def test_a_run_whose_sweep_is_put_off_is_not_said_to_be_deleted(
    s3: S3Server, bucket: str, days: int, deadline: int | None, why: str
) -> None:
    world = World(s3=s3, bucket=bucket)
    run = world.crashed("alpha", days, deadline=deadline) if days else world.failed("alpha", days)
    world.backup("alpha", 4)
    world.store()
    before = world.left()
    with pytest.raises(DeletionRefusedError, match=f"nothing was deleted: {run.id} of .*: {why}"):
        world.delete("alpha", run.id, "alpha-4")
    foreseen, planned = world.delete("alpha", dry_run=True)
    assert world.left() == before
    result, documents = world.delete("alpha")
    assert documents[:-1] == planned[:-1]
    told = {item["id"]: (item["deleted"], item["why"]) for item in documents if "id" in item}
    assert told == {run.id: (False, why), "alpha-4": (True, "")}
    assert (result.deleted, result.left, result.left_keys) == (1, 1, (run.record_prefix,))
    assert (foreseen.deleted, foreseen.left) == (1, 1)
    assert world.left() == {key for key in before if "alpha-4" not in key}


def test_what_stays_of_a_run_that_crashed_is_named(s3: S3Server, bucket: str) -> None:
    world = World(s3=s3, bucket=bucket)
    world.crashed("alpha", 2, owner="")
    world.crashed("alpha", 3)
    world.store()
    _, planned = world.delete("alpha", dry_run=True)
    result, documents = world.delete("alpha", "alpha-2", "alpha-3")
    assert documents[:-1] == planned[:-1]
    assert (result.deleted, result.freed_bytes) == (2, 10)
    assert result.left_keys == ("p/dump-alpha-2-0",)
    assert {key for key in world.left() if "/dump-" in key} == {"p/dump-alpha-2-0"}


def test_a_store_that_ignores_conditions_puts_off_what_was_foreseen(
    s3: S3Server, bucket: str, faults: Faults
) -> None:
    world = World(s3=s3, bucket=bucket)
    world.crashed("alpha", 0.5)
    world.store()
    proxy = faults.http(s3.port)
    proxy.set(Rule(Status(200, headers=(("ETag", '"e"'),)), "PUT", "probe", nth=2))
    assert world.delete("alpha", url=proxy.url, dry_run=True)[0].deleted == 1
    result, documents = world.delete("alpha", "alpha-0.5", url=proxy.url)
    assert (result.deleted, result.left) == (0, 1)
    assert documents[0]["why"] == (
        "the store ignores conditions, and it may go on until 2026-06-02T01:00:00Z"
    )
    assert "p/dump-alpha-0.5-0" in world.left()


def test_nothing_goes_where_one_is_locked(s3: S3Server) -> None:
    world = World(s3=s3, bucket=s3.create_bucket(f"b-{secrets.token_hex(4)}", locks=True))
    world.backup("alpha", 0)
    world.backup("alpha", 1)
    world.store()
    s3.client().put_object_legal_hold(
        Bucket=world.bucket, Key="p/dump-alpha-1-0", LegalHold={"Status": "ON"}
    )
    before = world.left()
    with pytest.raises(
        DeletionRefusedError, match=r"alpha-1-0: the store has locked it until .*hold"
    ):
        world.delete("alpha")
    assert world.left() == before
