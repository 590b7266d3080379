"""The chart as helm renders and installs it."""

import os
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from controller.settings.settings import Settings
from tests import libyaml
from tests.paths import REPOSITORY
from tests.testbed.toolchain.tools import tool

CHART = REPOSITORY / "charts" / "ksnapshot"
OLD_CHART = Path(__file__).with_name("chart_0_6_0")
OLD_VALUES = REPOSITORY / "tests" / "conformance" / "values_0_6_0.yaml"

JsonObject = dict[str, Any]


class HelmError(RuntimeError):
    """Helm refused; holds what it said."""


def helm(*arguments: str | Path, kubeconfig: Path | None = None) -> str:
    """What helm printed; HelmError with its complaint if it failed."""
    with tempfile.TemporaryDirectory() as home:
        # Plugins, repositories and clusters of whoever runs the tests play no part.
        env = {**os.environ, "KUBECONFIG": str(kubeconfig or os.devnull)}
        env |= {f"HELM_{kind}_HOME": f"{home}/{kind}" for kind in ("CACHE", "CONFIG", "DATA")}
        done = subprocess.run(
            [tool("helm"), *arguments],
            env=env,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
    if done.returncode != 0:
        raise HelmError(done.stderr)
    return done.stdout


def render(
    *arguments: str | Path,
    release: str = "ksnapshot",
    namespace: str = "backup",
    chart: Path = CHART,
) -> list[JsonObject]:
    """All objects of the chart with these values."""
    text = helm("template", release, chart, f"--namespace={namespace}", *arguments)
    return [item for item in libyaml.read_all(text) if item]


def find(objects: list[JsonObject], kind: str, name: str, namespace: str = "backup") -> JsonObject:
    """The one object of that kind and name."""
    found = [
        item
        for item in objects
        if item["kind"] == kind
        and item["metadata"]["name"] == name
        and item["metadata"].get("namespace", namespace) == namespace
    ]
    assert len(found) == 1, [(item["kind"], item["metadata"]["name"]) for item in objects]
    return found[0]


def pod_template(item: JsonObject) -> JsonObject:
    """The template of the pods that a Deployment or a CronJob makes."""
    spec = item["spec"]
    made: JsonObject = (spec["jobTemplate"]["spec"] if "jobTemplate" in spec else spec)["template"]
    return made


def container(objects: list[JsonObject]) -> JsonObject:
    """The controller's container."""
    deployment = next(item for item in objects if item["kind"] == "Deployment")
    made: JsonObject = deployment["spec"]["template"]["spec"]["containers"][0]
    return made


def environment(objects: list[JsonObject]) -> Mapping[str, str | None]:
    """The controller's variables in order; None for one that comes from a field."""
    return {item["name"]: item.get("value") for item in container(objects)["env"]}


def settings_of(objects: list[JsonObject], **more: str) -> Settings:
    """The controller's settings, with values for what comes from fields."""
    given = {name: text or "" for name, text in environment(objects).items()}
    return Settings.from_env(given | more)
