"""Every engine of the registry has all that an engine needs; what it lacks is named."""

import inspect
import re
from importlib.util import find_spec

import pytest
import yaml

from dumpers.contract.engine_spec import EngineSpec
from dumpers.engines.protocol import Engine
from dumpers.engines.registry import ENGINES, find, load
from dumpers.runtime.errors import ConfigurationError
from dumpers.runtime.version import VERSION
from tests.demo import images
from tests.paths import REPOSITORY
from tests.testbed.dumper import SEARCH_IMAGE_ENV

README = (REPOSITORY / "README.md").read_text()
CHART_README = (REPOSITORY / "charts/ksnapshot/README.md").read_text()
VALUES = yaml.safe_load((REPOSITORY / "charts/ksnapshot/values.yaml").read_text())
ANNOTATIONS = (REPOSITORY / "docs/annotations.md").read_text()
DUMPER_IMAGE = (REPOSITORY / "images/dumper/Dockerfile").read_text()
# An engine without a module for its work is known to the controller, and dumped by older images.
DUMPED = [engine for engine in ENGINES if find_spec(f"dumpers.engines.{engine.type}.engine")]

every_engine = pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.type)
every_dumped_engine = pytest.mark.parametrize("engine", DUMPED, ids=lambda engine: engine.type)


def test_an_engine_is_found_by_its_type() -> None:
    assert [find(engine.type) for engine in ENGINES] == list(ENGINES)
    assert find("oracle") is None


def test_every_folder_is_in_the_registry() -> None:
    folders = {path.parent.name for path in (REPOSITORY / "dumpers/engines").glob("*/spec.py")}
    assert folders == {engine.type for engine in ENGINES}


def test_an_engine_without_its_work_is_a_fault_of_the_image() -> None:
    for engine in ENGINES:
        if engine not in DUMPED:
            with pytest.raises(ConfigurationError, match="cannot dump") as caught:
                load(engine)
            assert engine.title in str(caught.value)


@every_dumped_engine
def test_its_work_has_the_methods_of_the_protocol(engine: EngineSpec) -> None:
    work = load(engine)
    for name, wanted in inspect.getmembers(Engine, inspect.isfunction):
        if not name.startswith("_"):
            found = inspect.signature(getattr(work, name))
            assert [*found.parameters] == [*inspect.signature(wanted).parameters][1:], name


@every_engine
def test_images_of_its_server_are_known_and_those_of_no_other(engine: EngineSpec) -> None:
    assert re.fullmatch(engine.server_images, engine.type)
    for other in ENGINES:
        if other is not engine:
            assert not re.fullmatch(engine.server_images, other.type)
    for helper in ("exporter", "operator", "backup", "keeper", "ksnapshot-dumper"):
        assert not re.fullmatch(engine.server_images, f"{engine.type}-{helper}")


@every_dumped_engine
def test_it_has_a_stage_in_the_image(engine: EngineSpec) -> None:
    assert re.search(rf"^FROM .+ AS engine-{engine.type}$", DUMPER_IMAGE, re.MULTILINE)
    assert engine.type in images.DUMPERS.values(), "make images does not build it"


@every_dumped_engine
def test_make_push_pushes_every_image_that_the_controller_asks_for(engine: EngineSpec) -> None:
    (name,) = (name for name, made in images.DUMPERS.items() if made == engine.type)
    pushed = images.published("ghcr.io/clickandmortar")[name]
    assert sorted(pushed) == sorted(f"{image.repository}:{VERSION}" for image in engine.images)


def test_make_push_says_what_it_lacks(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("IMAGE_PREFIX", raising=False)
    assert images.main(["push"]) == 1
    assert "set IMAGE_PREFIX to a registry" in capsys.readouterr().err
    assert images.main(["pull"]) == 2


@every_engine
def test_it_has_a_value_for_each_image(engine: EngineSpec) -> None:
    for image in engine.images:
        value = VALUES
        for key in image.chart.split("."):
            value = value[key]
        assert value == "", f"{image.chart}: the published one by default"


@every_engine
def test_it_has_its_rows_in_the_documentation(engine: EngineSpec) -> None:
    assert re.search(rf"^\| `type` \|.*`{engine.type}`", ANNOTATIONS, re.MULTILINE)
    for image in engine.images:
        row = rf"^\| `{re.escape(image.chart)}` \|.*`{image.setting}`"
        assert re.search(row, CHART_README, re.MULTILINE), image.chart
    for option in engine.texts:
        row = rf"^\| `{option.key}` \|.*`{engine.type}`"
        assert re.search(row, ANNOTATIONS, re.MULTILINE), option.key
    for number in engine.numbers:
        assert f"| `{number.key}` | `{number.default}` |" in ANNOTATIONS, number.key


@every_dumped_engine
def test_it_has_unit_tests(engine: EngineSpec) -> None:
    assert [*(REPOSITORY / "tests/unit/dumpers/engines" / engine.type).rglob("test_*.py")]


@every_dumped_engine
def test_it_has_a_round_trip_with_a_real_server(engine: EngineSpec) -> None:
    folder = REPOSITORY / "tests/integration/dumpers" / engine.type
    assert (folder / "test_round_trip.py").exists()


def test_the_image_for_search_sets_what_its_memory_is_measured_with() -> None:
    stage = DUMPER_IMAGE.partition(" AS engine-elasticsearch\n")[2].partition("\nFROM ")[0]
    for name, value in SEARCH_IMAGE_ENV.items():
        assert f"ENV {name}={value}\n" in stage


@every_engine
def test_no_two_credentials_share_a_variable_and_each_login_has_a_sign(engine: EngineSpec) -> None:
    variables = [item.variable for item in engine.credentials]
    assert len(set(variables)) == len(variables)
    assert all(item.signs for item in engine.logins)
    assert set(engine.marks) <= engine.source_variables
