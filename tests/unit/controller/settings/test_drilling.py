"""Settings of drills: what is read of them, and what is refused with a sentence."""

import json

import pytest

from controller.settings.settings import Settings
from dumpers.runtime.errors import ConfigurationError


def of(**env: str) -> Settings:
    return Settings.from_env({"WATCH_NAMESPACES": "a"} | env)


def test_by_default_nothing_is_drilled_and_the_makers_images_may_run() -> None:
    found = of()
    assert (found.drill_schedule, found.drill_deadline) == ("", 6 * 3600)
    assert found.drill_images == {}
    assert "docker.io/library/postgres:*" in found.drill_allowed_images
    assert (found.drill_volume.limit, found.drill_volume.limit_bytes) == ("20Gi", 20 << 30)
    assert (found.drill_volume.storage_class, found.drill_resources) == ("", {})
    assert found.drill_pull_secrets == ()


def test_what_the_chart_gives_is_read() -> None:
    found = of(
        DRILL_IMAGES='{"postgresql": "r.example/pg:{major}-{minor}", "mysql": ""}',
        DRILL_ALLOWED_IMAGES="[]",
        DRILL_VOLUME='{"limit": "500M", "storageClassName": "fast"}',
        DRILL_RESOURCES='{"limits": {"memory": "1Gi"}}',
        DRILL_IMAGE_PULL_SECRETS='[{"name": "registry"}]',
    )
    assert found.drill_images == {"postgresql": "r.example/pg:{major}-{minor}"}
    assert found.drill_allowed_images == ()
    assert (found.drill_volume.limit_bytes, found.drill_volume.storage_class) == (500e6, "fast")
    assert found.drill_resources == {"limits": {"memory": "1Gi"}}
    assert found.drill_pull_secrets == ({"name": "registry"},)


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("IMAGES", ["postgres"], "must be a JSON object"),
        ("IMAGES", {"postgresql": 16}, "must hold images by the names"),
        ("IMAGES", {"Postgres QL": "x"}, "must hold images by the names"),
        ("IMAGES", {"mysql": "mysql:{patch}"}, "{major}, {minor}, {version} may stand"),
        ("IMAGES", {"mysql": "mysql:{"}, "{major}, {minor}, {version} may stand"),
        ("IMAGES", {"mysql": "mysql:{major!r}"}, "{major}, {minor}, {version} may stand"),
        ("IMAGES", {"mysql": "mysql:{major:>9}"}, "{major}, {minor}, {version} may stand"),
        ("IMAGES", {"mysql": "mysql 8"}, "must hold an image for mysql"),
        ("ALLOWED_IMAGES", {"a": "b"}, "must be a JSON list of images"),
        ("ALLOWED_IMAGES", ["post gres"], "must be a JSON list of images"),
        ("ALLOWED_IMAGES", [1], "must be a JSON list of images"),
        ("VOLUME", {"limit": "much"}, "must give bytes such as"),
        ("VOLUME", {"limit": "1.5Gi"}, "must give bytes such as"),
        ("VOLUME", {"size": "1Gi"}, "must hold limit and storageClassName"),
        ("VOLUME", {"storageClassName": "No Class"}, "must be a Kubernetes name"),
        ("VOLUME", {"storageClassName": 1}, "the name of a StorageClass"),
        ("RESOURCES", {"limits": {"disk": "1Gi"}}, "must give quantities"),
        ("IMAGE_PULL_SECRETS", ["registry"], "must be a JSON list of pull secrets"),
        ("IMAGE_PULL_SECRETS", [{"name": "A B"}], "must be a Kubernetes name"),
        ("DEADLINE_SECONDS", 10, "must be a whole number from 60"),
    ],
)
def test_what_cannot_be_meant_is_refused(name: str, value: object, why: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        of(**{f"DRILL_{name}": json.dumps(value)})
    (fault,) = caught.value.faults
    assert fault.startswith(f"DRILL_{name} is ")
    assert why in fault
