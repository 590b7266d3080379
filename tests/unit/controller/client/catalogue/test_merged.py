"""Where each run is, by what several storages list of it."""

from collections.abc import Sequence
from typing import Any

import pytest

from controller.client.catalogue.merged import NOT_MISSING, Listed, merge, storages_cell
from dumpers.repository.catalogue import State

BOTH = ("main", "off-site")


def run(folder: str, state: str = "complete", *, path: str = "p", **members: Any) -> dict[str, Any]:
    return {
        "catalogue": "run",
        "id": folder.partition("-")[2],
        "record": f"{path}/manifests/c/cj/{folder}/",
        "state": state,
        "restorable": state in {"complete", "notes"},
        "storages": [*BOTH],
        **members,
    }


def end(runs: int, *, path: str = "p", following: str = "", cronjob: str = "cj") -> dict[str, Any]:
    records = f"{path}/manifests/c/{cronjob}/"
    return {"catalogue": "end", "records": records, "runs": runs, "next": following}


def listed(storage: str, *runs: dict[str, Any], following: str = "", path: str = "p") -> Listed:
    return Listed(
        storage=storage, documents=[*runs, end(len(runs), path=path, following=following)]
    )


def merged(
    lists: Sequence[Listed], *, away: Sequence[str] = (), limit: int = 20
) -> tuple[list[tuple[str, str]], str]:
    """The id and the cell of each run, and what continues the list."""
    found = merge(lists, away=away, limit=limit)
    [page] = found.pages
    assert page["runs"] == len(found.runs)
    return [(item["id"], storages_cell(item)) for item in found.runs], page["next"]


def test_a_store_that_was_killed_lacks_the_backup_of_a_run_that_seems_to_go_on_there() -> None:
    """By its started record alone; the others' manifests know that it was given up."""
    far = listed("off-site", run("1-a", "running", path="there"), path="there")
    near = listed("main", run("1-a", missing=["off-site"]))
    assert merged([near, far]) == ([("a", "main, off-site missing")], "")
    # Another store has its manifest first.
    assert merged([listed("main", run("1-a")), far]) == ([("a", "main")], "")
    pruned = listed("off-site", run("1-a", "pruned", path="there"), path="there")
    assert merged([near, pruned]) == ([("a", "main")], "")
    # A copy has brought it since.
    whole = listed("off-site", run("1-a", path="there"), path="there")
    assert merged([near, whole]) == ([("a", "main, off-site")], "")


def test_a_storage_that_it_is_being_copied_to_lacks_nothing() -> None:
    near = listed("main", run("1-a", missing=["off-site"]))
    far = listed("off-site", run("1-a", "running", path="there", copying=True), path="there")
    assert merged([near, far]) == ([("a", "main, off-site copying")], "")
    assert merge([near, far], away=(), limit=20).runs[0]["missing_in"] == []
    # One that was stopped, and whose time is over.
    dead = listed("off-site", run("1-a", "crashed", path="there", copying=True), path="there")
    assert merged([near, dead]) == ([("a", "main, off-site missing")], "")
    # To one that the run did not know.
    third = listed("third", run("1-a", "running", copying=True))
    assert merged([near, third]) == ([("a", "main, third copying")], "")


def test_a_run_is_named_once_with_its_storages() -> None:
    near = listed("main", run("3-c"), run("1-a"))
    far = listed("off-site", run("3-c", path="there"), run("2-b", path="there"), path="there")
    assert merged([near, far]) == (
        [
            ("c", "main, off-site"),
            ("b", "off-site, main missing"),
            ("a", "main, off-site missing"),
        ],
        "",
    )


@pytest.mark.parametrize(
    ("state", "cell"),
    [
        ("complete", "main, off-site"),
        ("notes", "main, off-site"),
        ("failed", "main, off-site missing"),
        ("crashed", "main, off-site missing"),
        ("swept", "main, off-site missing"),
        ("damaged", "main, off-site missing"),
        # It goes on there, was pruned there, or is only known to a newer version.
        ("running", "main"),
        ("pruned", "main"),
        ("unknown", "main"),
    ],
)
def test_what_another_storage_says_of_a_backup(state: str, cell: str) -> None:
    lists = [listed("main", run("1-a")), listed("off-site", run("1-a", state))]
    assert merged(lists) == ([("a", cell)], "")


def test_the_states_are_those_of_catalogues() -> None:
    assert {State.RUNNING, State.PRUNED, State.UNKNOWN} == NOT_MISSING


def test_the_entry_is_that_of_the_first_storage_in_which_it_can_be_restored() -> None:
    lists = [
        listed("main", run("1-a", "failed", why="x")),
        listed("off-site", run("1-a", stored_bytes=5)),
    ]
    [found] = merge(lists, away=(), limit=20).runs
    assert (found["state"], found["stored_bytes"], found["found_in"]) == (
        "complete",
        5,
        ["off-site"],
    )
    assert found["missing_in"] == ["main"]


def test_a_run_that_is_no_backup_anywhere_is_missing_nowhere() -> None:
    lists = [listed("main", run("1-a", "failed")), listed("off-site")]
    assert merged(lists) == ([("a", "")], "")


def test_no_answer_is_never_said_to_be_missing() -> None:
    assert merged([listed("main", run("1-a"))], away=["off-site"]) == (
        [("a", "main, off-site away")],
        "",
    )


def test_a_storage_that_the_run_was_not_to_write_to_is_not_missing() -> None:
    lists = [listed("main", run("1-a", storages=[])), listed("copies")]
    assert merged(lists, away=["off-site"]) == ([("a", "main")], "")
    # A copy that somebody made.
    lists = [listed("main", run("1-a", storages=[])), listed("copies", run("1-a", storages=[]))]
    assert merged(lists) == ([("a", "main, copies")], "")

    # Of a run that was for main alone, only the copy is left.
    lists = [listed("main"), listed("copies", run("1-a", storages=[]))]
    assert merged(lists) == ([("a", "copies, main missing")], "")


def test_what_is_older_than_the_end_of_a_page_is_left_to_the_next() -> None:
    """Off-site has not said yet whether it has the runs that are older than 3."""
    near = listed("main", run("4-d"), run("3-c"), run("2-b"), run("1-a"))
    far = listed("off-site", run("4-d"), run("3-c"), following="3-c")
    assert merged([near, far]) == ([("d", "main, off-site"), ("c", "main, off-site")], "3-c")


def test_more_runs_than_are_wanted_end_the_page() -> None:
    near = listed("main", run("4-d"), run("2-b"), following="2-b")
    far = listed("off-site", run("3-c"), run("1-a"), following="1-a")
    found, following = merged([near, far], limit=2)
    assert [id_ for id_, _ in found] == ["d", "c"]
    assert following == "3-c"


def test_each_cronjob_has_a_page_of_its_own() -> None:
    other = {"record": "p/manifests/c/other/9-z/", "id": "z"}
    near = Listed(
        storage="main", documents=[run("1-a"), end(1), run("9-z") | other, end(1, cronjob="other")]
    )
    found = merge([near, listed("off-site", run("1-a"))], away=(), limit=20)
    assert [(item["id"], storages_cell(item)) for item in found.runs] == [
        ("a", "main, off-site"),
        ("z", "main, off-site missing"),
    ]
    assert [page["records"] for page in found.pages] == ["c/cj", "c/other"]
