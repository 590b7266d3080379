"""The values that docs/stores.md and docs/sizing.md show are rendered by helm."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests import libyaml
from tests.integration.chart.helm import find, render
from tests.paths import REPOSITORY

_DOCS = REPOSITORY / "docs"
_BLOCK = re.compile(r"^```yaml\n(.*?)^```$", re.MULTILINE | re.DOTALL)

# Title of each store's section to the values in it.
STORES: dict[str, dict[str, Any]] = {
    section.partition("\n")[0]: libyaml.read(block[1])
    for section in re.split(r"^## ", (_DOCS / "stores.md").read_text(), flags=re.MULTILINE)
    if (block := _BLOCK.search(section))
}


def test_every_store_has_its_values() -> None:
    assert len(STORES) == (_DOCS / "stores.md").read_text().count("```yaml") == 6


@pytest.mark.parametrize("store", STORES)
def test_the_values_of_a_store_reach_the_jobs(store: str, tmp_path: Path) -> None:
    values = STORES[store]
    file = tmp_path / "values.yaml"
    file.write_text(json.dumps(values))
    data = find(render(f"--values={file}"), "ConfigMap", "ksnapshot-cm")["data"]
    asked = {f"S3_{name.upper()}": value for name, value in values["s3"].items()}
    assert {name: data[name] for name in asked} == asked
    # An endpoint's address never has the bucket in it, and is encrypted.
    endpoint = values["s3"].get("endpoint", "https://")
    assert endpoint.startswith("https://")
    assert values["s3"]["bucket"] not in endpoint


def test_the_resources_to_begin_with_reach_the_controller(tmp_path: Path) -> None:
    (block,) = _BLOCK.findall((_DOCS / "sizing.md").read_text())
    file = tmp_path / "values.yaml"
    file.write_text(block)
    deployment = find(render("--set=s3.bucket=b", f"--values={file}"), "Deployment", "ksnapshot")
    env = deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    (pod,) = (json.loads(item["value"]) for item in env if item["name"] == "BACKUP_JOB_POD")
    assert pod["resources"] == libyaml.read(block)["backupJob"]["pod"]["resources"]


def test_the_bounds_of_memory_are_those_that_tests_hold() -> None:
    rows = re.findall(r"\| (\d+) MiB \| `([\w/.]+)` \|", (_DOCS / "sizing.md").read_text())
    assert len(rows) == 4
    for bound, name in rows:
        source = (REPOSITORY / "tests" / "integration" / "dumpers" / name).read_text()
        held = re.findall(r"_MOST_MIB = (\d+)|peak <= (\d+)", source)
        assert bound in {number for pair in held for number in pair}, name
