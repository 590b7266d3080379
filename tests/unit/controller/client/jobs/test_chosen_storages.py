"""Which of a workload's storages a verb goes to, and what is refused."""

import json

import pytest

from controller.client.cluster.workload_names import Workload
from controller.client.jobs.chosen_storages import (
    defined_names,
    elsewhere,
    every_storage,
    in_chosen,
    in_defined,
    naming_the_rest,
    to_change,
    to_prune,
)
from controller.client.terminal.errors import CommandError, Exit
from controller.manifests.storages.of_cronjob import storages_of
from tests.fakes.worlds import settings
from tests.unit.controller.manifests.storages.test_of_cronjob import cronjob

DEFINED = {
    "near": {"bucket": "near-bucket"},
    "old": {"bucket": "old-bucket", "accessMode": "ReadOnly"},
    "others": {"bucket": "others-bucket", "namespaces": ["other"]},
}
WHERE = settings(STORAGES=json.dumps(DEFINED))


@pytest.mark.parametrize("name", ["main", "near", "old"])
def test_a_storage_of_the_cronjob_or_of_the_settings_is_read(name: str) -> None:
    made = cronjob("main", WHERE)
    assert storages_of(in_chosen(made, name, WHERE)) == (name,)
    assert storages_of(in_defined(made, name, WHERE)) == (name,)
    assert in_chosen(made, "", WHERE) is in_defined(made, "", WHERE) is made


def test_a_storage_that_is_not_for_the_workload_is_refused() -> None:
    made = cronjob("main", WHERE)
    for name in ("others", "none"):
        with pytest.raises(
            CommandError, match="is not there, or not for namespace demo"
        ) as refused:
            in_chosen(made, name, WHERE)
        assert refused.value.exit_code == Exit.REFUSED
    # Of the whole install it may be asked for.
    assert storages_of(in_defined(made, "others", WHERE)) == ("others",)
    with pytest.raises(CommandError, match="the storage none is not there"):
        in_defined(made, "none", WHERE)


def test_storages_that_are_only_read_are_named_and_left(capsys: pytest.CaptureFixture[str]) -> None:
    # It was made when nothing was only read.
    before = settings(STORAGES=json.dumps({"old": {"bucket": "old-bucket"}}))
    made = cronjob("main,old", before)
    assert to_change(made, "", WHERE) == ("main",)
    assert "old is only read" in capsys.readouterr().err
    with pytest.raises(CommandError, match="only read"):
        to_change(made, "old", WHERE)
    assert to_change(made, "near", WHERE) == ("near",)


def test_all_storages_are_those_of_the_cronjob_then_those_that_may_hold_copies() -> None:
    assert every_storage(cronjob("near,main", WHERE), WHERE) == ("near", "main", "old")
    assert defined_names(WHERE) == ("main", "near", "old", "others")


def test_without_main_no_storage_is_guessed() -> None:
    where = settings(STORAGES=json.dumps(DEFINED), MAIN_STORAGE="false")
    base = cronjob("main", where)
    assert defined_names(where) == ("near", "old", "others")
    assert storages_of(in_defined(base, "old", where)) == ("old",)
    for choose in (in_defined, to_prune):
        with pytest.raises(CommandError, match="--storage: near, old, others") as refused:
            choose(base, "", where)
        assert refused.value.exit_code == Exit.USAGE
        with pytest.raises(CommandError, match="the storage main is not there"):
            choose(base, "main", where)


def test_workloads_that_write_elsewhere_are_told_from_those_without_backups() -> None:
    near, both, none = (
        Workload(namespace="a", name=name, kind="StatefulSet", type="mysql", cronjob=made)
        for name, made in (
            ("near", cronjob("near", WHERE)),
            ("both", cronjob("near,main", WHERE)),
            ("none", None),
        )
    )
    assert elsewhere((near, both, none), "main") == {"a/near": "near"}
    assert elsewhere((near, both, none), "near") == {}


def test_what_is_only_read_is_not_pruned() -> None:
    base = cronjob("main", WHERE)
    assert to_prune(base, "", WHERE) is base
    assert storages_of(to_prune(base, "near", WHERE)) == ("near",)
    with pytest.raises(CommandError, match="old: only read"):
        to_prune(base, "old", WHERE)


@pytest.mark.parametrize(
    ("begun", "said"),
    [
        ((), ""),
        (("main",), "nothing was begun in off-site, third: say it once more for them\n"),
        (("main", "off-site", "third"), ""),
    ],
)
def test_what_was_not_begun_is_named_where_the_work_was_ended(
    begun: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    def work() -> None:
        with naming_the_rest(("main", "off-site", "third")) as known:
            known.extend(begun)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert capsys.readouterr().err == said
