"""What passes remember of each other never hides a change."""

import copy
from collections.abc import Callable

import pytest

from controller.loop.pass_state import PassState
from controller.model import names
from controller.model.names import PREFIX
from tests.fakes.kube_memory import Document, MemoryApi
from tests.fakes.worlds import (
    CONTROL,
    DB,
    asks,
    cluster,
    job,
    one_pass,
    owner,
    pod,
    secret,
    service,
    small,
    states,
)

CRONJOB, MIRRORED = ("CronJob", CONTROL, DB), ("Secret", CONTROL, names.secret_name(DB))


def steady() -> tuple[MemoryApi, PassState]:
    """Two workloads of one namespace and one of another, and a pass that wrote nothing."""
    web = owner("web", template=asks())
    api = cluster(*small(), *small(space="shop"), web, pod(web), service("web", app="web"))
    memory = PassState()
    for minutes in range(2):
        one_pass(api, memory=memory, minutes=minutes)
    assert not one_pass(api, memory=memory, minutes=1).failures
    api.writes.clear()
    return api, memory


def edit(
    key: tuple[str, str, str], change: Callable[[Document], object]
) -> Callable[[MemoryApi], object]:
    def edited(api: MemoryApi) -> None:
        item = copy.deepcopy(api.items[key])
        change(item)
        api.put(item)

    return edited


def says(**values: str) -> Callable[[Document], object]:
    return lambda item: (
        item["metadata"]
        .setdefault("annotations", {})
        .update({PREFIX + key: value for key, value in values.items()})
    )


def add_job(api: MemoryApi) -> None:
    api.put(job(api.items[CRONJOB], ended="2026-01-01T00:00:09Z"))


CHANGES = {
    "pod": edit(("Pod", "demo", "db-0"), says(schedule="@daily")),
    "pod gone": lambda api: api.remove("Pod", "demo", "db-0"),
    "owner": edit(("StatefulSet", "demo", "db"), says(schedule="@weekly")),
    "owner gone": lambda api: api.remove("StatefulSet", "demo", "db"),
    "no longer asked": edit(("Pod", "demo", "db-0"), says(enabled="no")),
    "service gone": lambda api: api.remove("Service", "demo", "db"),
    "second service": lambda api: api.put(service("more")),
    "secret": lambda api: api.put(secret("db", password="new")),
    "secret gone": lambda api: api.remove("Secret", "demo", "db"),
    "cronjob by hand": edit(CRONJOB, lambda item: item["spec"].update(schedule="1 1 1 1 1")),
    "cronjob suspended": edit(CRONJOB, lambda item: item["spec"].update(suspend=True)),
    "cronjob gone": lambda api: api.remove(*CRONJOB),
    "mirrored by hand": edit(
        MIRRORED, lambda item: item["data"].update(POSTGRESQL_USERNAME="eA==")
    ),
    "mirrored gone": lambda api: api.remove(*MIRRORED),
    "old secret": lambda api: api.put(
        secret(DB, CONTROL) | {"metadata": api.items[MIRRORED]["metadata"] | {"name": DB}}
    ),
    "job ended": add_job,
    "new workload": lambda api: [api.put(item) for item in small(name="new")[1:4]],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_change_is_acted_on_as_if_nothing_were_remembered(
    change: Callable[[MemoryApi], object],
) -> None:
    (remembering, memory), (forgetful, _) = steady(), steady()
    change(remembering)
    change(forgetful)
    # Past the time when sources are read anew.
    found = [one_pass(remembering, memory=memory, minutes=20), one_pass(forgetful, minutes=20)]
    assert states(found[0]) == states(found[1])
    assert remembering.writes == forgetful.writes
