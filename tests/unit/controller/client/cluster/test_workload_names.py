import pytest

from controller.client.cluster.workload_names import Workload, find_workload, list_workloads
from controller.client.terminal.errors import CommandError, Exit
from controller.model import names
from controller.model.objects import Json
from controller.settings.settings import Settings

SETTINGS = Settings.from_env({"WATCH_NAMESPACES": "production"})


def cronjob(owner: str, kind: str = "StatefulSet", type_: str = "postgresql", **more: str) -> Json:
    return {
        "metadata": {
            "name": names.cronjob_name(type_, owner),
            "labels": {names.MANAGED_BY_LABEL: names.MANAGED_BY},
            "annotations": {
                names.OWNER: owner,
                names.OWNER_KIND: kind,
                names.INSTANCE: "ksnapshot",
            }
            | {f"{names.PREFIX}{key}": text for key, text in more.items()},
        }
    }


def known() -> list[Workload]:
    return list_workloads(
        [
            cronjob("production/database"),
            cronjob("staging/database", kind="Deployment"),
            cronjob("production/shop", kind="Group", type_="clickhouse"),
            cronjob("production/legacy", kind=""),
            cronjob("production/two"),
            cronjob("production/two", type_="mysql"),
            cronjob("production/other-install", instance="another"),
        ],
        [
            {"workload": "production/search", "kind": "StatefulSet", "type": "elasticsearch"},
            {
                "workload": "production/database",
                "cronjob": names.cronjob_name("postgresql", "production/database"),
                "state": "unknown",
            },
        ],
        SETTINGS,
    )


def test_workloads_come_from_cronjobs_and_status_each_once() -> None:
    found = known()
    assert [(item.key, item.type) for item in found] == [
        ("production/database", "postgresql"),
        ("production/legacy", "postgresql"),
        ("production/search", "elasticsearch"),
        ("production/shop", "clickhouse"),
        ("production/two", "mysql"),
        ("production/two", "postgresql"),
        ("staging/database", "postgresql"),
    ]
    assert found[0].reported == {
        "workload": "production/database",
        "cronjob": found[0].cronjob_name,
        "state": "unknown",
    }
    assert found[2].cronjob is None


@pytest.mark.parametrize(
    ("text", "namespace", "key"),
    [
        ("production/database", "", "production/database"),
        ("database", "production", "production/database"),
        ("statefulset/database", "production", "production/database"),
        ("sts/database", "", "production/database"),
        ("StatefulSet/database", "", "production/database"),
        ("deploy/database", "", "staging/database"),
        ("production/statefulset/database", "", "production/database"),
        ("shop", "", "production/shop"),
        ("search", "", "production/search"),
        # 0.6.0 recorded no kind.
        ("statefulset/legacy", "production", "production/legacy"),
        (names.cronjob_name("postgresql", "staging/database"), "", "staging/database"),
        (f"cronjob/{names.cronjob_name('mysql', 'production/two')}", "", "production/two"),
    ],
)
def test_a_workload_by_the_names_that_people_use(text: str, namespace: str, key: str) -> None:
    assert find_workload(text, namespace, known()).key == key


@pytest.mark.parametrize(
    ("text", "namespace", "code", "shown"),
    [
        # The same name elsewhere, and near misses.
        ("database", "qa", Exit.NOT_FOUND, "production/database or staging/database"),
        ("production/databse", "", Exit.NOT_FOUND, "did you mean production/database"),
        ("serch", "", Exit.NOT_FOUND, "did you mean production/search"),
        ("deployment/database", "production", Exit.NOT_FOUND, "did you mean production/database"),
        ("nothing-like-it-at-all", "", Exit.NOT_FOUND, "see `ksnapshot status`"),
        ("database", "", Exit.USAGE, "statefulset production/database (CronJob "),
        ("database", "", Exit.USAGE, "deployment staging/database (CronJob "),
        ("production/two", "", Exit.USAGE, names.cronjob_name("mysql", "production/two")),
    ],
)
def test_what_is_no_workload_or_several_is_told(
    text: str, namespace: str, code: Exit, shown: str
) -> None:
    with pytest.raises(CommandError) as caught:
        find_workload(text, namespace, known())
    assert caught.value.exit_code == code
    assert shown in caught.value.message


def test_without_any_workload_nothing_is_suggested() -> None:
    with pytest.raises(CommandError, match="nothing is backed up there"):
        find_workload("database", "", [])
