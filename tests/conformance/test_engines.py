import inspect
import re
from importlib.util import find_spec

import pytest
import yaml

from dumpers.contract.engine_spec import EngineSpec
from dumpers.engines.protocol import Engine
from dumpers.engines.registry import ENGINES, find, load
from dumpers.runtime.errors import ConfigurationError
from tests.paths import REPOSITORY

README = (REPOSITORY / "README.md").read_text()
DUMPED = [item for item in ENGINES if find_spec(f"dumpers.engines.{item.type}.engine")]
VALUES = yaml.safe_load((REPOSITORY / "charts/ksnapshot/values.yaml").read_text())
DUMPER = (REPOSITORY / "images/dumper/Dockerfile").read_text()


def test_an_engine_is_found_by_its_type() -> None:
    assert [find(engine.type) for engine in ENGINES] == list(ENGINES)
    assert find("oracle") is None


def test_an_engine_without_its_work_is_a_fault_of_the_image() -> None:
    for engine in ENGINES:
        if engine not in DUMPED:
            with pytest.raises(ConfigurationError, match="cannot dump") as caught:
                load(engine)
            assert engine.title in str(caught.value)


@pytest.mark.parametrize("engine", DUMPED, ids=lambda item: item.type)
def test_an_engine_that_can_be_dumped_is_whole(engine: EngineSpec) -> None:
    work = load(engine)
    for name, wanted in inspect.getmembers(Engine, inspect.isfunction):
        if not name.startswith("_"):
            found = inspect.signature(getattr(work, name))
            assert [*found.parameters] == [*inspect.signature(wanted).parameters][1:], name
    stage = rf"^FROM .+ AS engine-{engine.type}$"
    assert re.search(stage, DUMPER, re.MULTILINE), "no stage of its own in the image"
    for image in engine.images:
        value = VALUES
        for key in image.chart.split("."):
            value = value[key]
        assert value == "", f"{image.chart}: the published one by default"
        assert f"`{image.chart}" in README
    for option in engine.texts:
        assert re.search(rf"^\| `{option.key}` \|.*`{engine.type}`", README, re.MULTILINE), (
            option.key
        )
    for folder in ("tests/unit/dumpers/engines", "tests/integration/dumpers"):
        tests = [*(REPOSITORY / folder).glob(f"{engine.type}/test_*.py")]
        tests += (REPOSITORY / folder).glob(f"test_{engine.type}*.py")
        assert tests, f"{folder}: no test of it"


def test_no_two_credentials_share_a_variable_and_each_login_has_a_sign() -> None:
    for engine in ENGINES:
        variables = [item.variable for item in engine.credentials]
        assert len(set(variables)) == len(variables)
        assert all(item.signs for item in engine.logins)
        assert set(engine.marks) <= engine.source_variables
