"""Which labels and annotations keep sidecars out of dump pods, and what they give way to."""

import json
from typing import Any

import pytest

from controller.manifests.cronjob import build_cronjob
from controller.manifests.overlay import overlay
from controller.model import names
from controller.model.objects import Json, annotations_of
from tests.fakes.worlds import settings
from tests.unit.controller.manifests.test_optional_fields import spec

ISTIO, LINKERD = "sidecar.istio.io/inject", "linkerd.io/inject"


def made(existing: Json | None = None, **pod: dict[str, str]) -> Json:
    asking = settings(BACKUP_JOB_POD=json.dumps(pod)) if pod else settings()
    return overlay(existing, build_cronjob(spec(), asking, "id", existing))


def metadata(cronjob: Json) -> Any:
    return cronjob["spec"]["jobTemplate"]["spec"]["template"]["metadata"]


def edited(cronjob: Json, **template: dict[str, str]) -> Json:
    """The CronJob after somebody edited its pods' metadata."""
    copy = json.loads(json.dumps(cronjob))
    for part, values in template.items():
        metadata(copy).setdefault(part, {}).update(values)
    return copy  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("part", "key", "text"),
    [
        ("labels", ISTIO, "false"),
        ("labels", "kuma.io/sidecar-injection", "disabled"),
        ("annotations", ISTIO, "false"),
        ("annotations", LINKERD, "disabled"),
        ("annotations", "kuma.io/sidecar-injection", "disabled"),
        ("annotations", "consul.hashicorp.com/connect-inject", "false"),
        ("annotations", "vault.hashicorp.com/agent-inject", "false"),
        ("annotations", "sidecar.opentelemetry.io/inject", "false"),
        ("annotations", "dapr.io/enabled", "false"),
    ],
)
def test_meshes_are_told_to_leave_dump_pods_alone(part: str, key: str, text: str) -> None:
    new = made()
    assert metadata(new)[part][key] == text
    assert names.OPTIONAL_FIELDS not in annotations_of(new)
    assert made(new) == new


def test_what_somebody_set_on_the_cronjob_stays() -> None:
    own = edited(made(), labels={ISTIO: "true"}, annotations={LINKERD: "enabled"})
    assert made(own) == own
    assert metadata(made(own))["annotations"][ISTIO] == "false"


def test_what_was_removed_comes_back() -> None:
    bare = edited(made())
    del metadata(bare)["annotations"], metadata(bare)["labels"][ISTIO]
    assert made(bare) == made()


def test_a_setting_lets_a_mesh_in_and_keeps_it_out_again() -> None:
    asked = made(made(), labels={ISTIO: "true"}, annotations={LINKERD: "enabled"})
    assert metadata(asked)["labels"][ISTIO] == "true"
    assert metadata(asked)["annotations"][LINKERD] == "enabled"
    assert made(asked, labels={ISTIO: "true"}, annotations={LINKERD: "enabled"}) == asked
    assert made(asked) == made()
