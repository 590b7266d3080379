import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from controller.settings.classes.reading import MEMBERS
from controller.settings.job_pod import POD_FIELDS
from controller.settings.setting import Setting
from controller.settings.settings import SETTINGS, Settings
from controller.workloads.classes.checking import check_classes
from controller.workloads.classes.keys import IN_CLASSES
from controller.workloads.request import ANNOTATIONS
from dumpers.contract.engine_spec import DumperImage, EngineSpec
from dumpers.engines.registry import ENGINES
from dumpers.runtime.version import VERSION
from release import values_table
from tests import libyaml
from tests.conformance.wrong_values import WRONG
from tests.paths import REPOSITORY

_CHART = REPOSITORY / "charts" / "ksnapshot"
_VALUES = (_CHART / "values.yaml").read_text()
_SCHEMA = json.loads((_CHART / "values.schema.json").read_text())
_OLD_VALUES = Path(__file__).with_name("values_0_6_0.yaml")
# The chart has a default of its own, or puts one together from names.
_COMPUTED = {
    "rbac.watchNamespaces",
    "existingConfigMap",
    "existingSecret",
    "backupJob.serviceAccount.name",
    "backupJob.imagePullPolicy",
    "backupJob.pod",
    # Of several values.
    "drill.images",
    "drill.volume",
    # By the number of replicas.
    "leaderElection.enabled",
}
# A parent chart sets it; the chart itself does not read it.
_SET_BY_PARENTS = {"enabled"}


def _leaves(values: Mapping[str, Any], path: str = "") -> Iterator[str]:
    """Dotted paths of all values; an empty map is a value, a filled one is not."""
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{path}{name}.")
        else:
            yield f"{path}{name}"


def _resolve(schema: Mapping[str, Any]) -> dict[str, Any]:
    reference = schema.get("$ref", "")
    shared = _SCHEMA["definitions"][reference.rpartition("/")[2]] if reference else {}
    return {**shared, **schema}


def _known_to_schema(path: str) -> str:
    """The path down to which the schema lists members; below it, it goes by Kubernetes' words."""
    return re.sub(r"(SecurityContext)\..*", r"\1", path)


def _schema_leaves(schema: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    """Dotted path and description of every leaf of the schema that values.yaml knows."""
    for name, raw in schema["properties"].items():
        entry = _resolve(raw)
        if "properties" in entry and name != "resources":
            yield from _schema_leaves(entry, f"{path}{name}.")
        else:
            yield f"{path}{name}", entry.get("description", "")


def _faults(values: object) -> list[str]:
    return [error.message for error in jsonschema.Draft7Validator(_SCHEMA).iter_errors(values)]


def _set(path: str, value: object) -> dict[str, Any]:
    """The chart's own values with one of them changed."""
    values: dict[str, Any] = libyaml.read(_VALUES)
    *parents, last = path.split(".")
    target = values
    for name in parents:
        target = target[name]
    target[last] = value
    return values


def test_schema_is_a_schema() -> None:
    jsonschema.Draft7Validator.check_schema(_SCHEMA)


@pytest.mark.parametrize("text", [_VALUES, _OLD_VALUES.read_text()], ids=["values.yaml", "0.6.0"])
def test_schema_takes_values(text: str) -> None:
    assert _faults(libyaml.read(text)) == []


def test_every_value_of_0_6_0_is_still_there() -> None:
    old, now = libyaml.read(_OLD_VALUES.read_text()), libyaml.read(_VALUES)
    # Below these lie the user's own keys.
    free = re.compile(r"^(resources|nodeSelector|affinity|pod\w+|.*annotations)\b.*")
    gone = {free.sub(r"\1", path) for path in _leaves(old)} - set(_leaves(now))
    assert gone == set()


def test_values_and_schema_have_the_same_leaves() -> None:
    described = dict(_schema_leaves(_SCHEMA))
    known = set(map(_known_to_schema, _leaves(libyaml.read(_VALUES))))
    assert set(described) - _SET_BY_PARENTS == known
    assert [path for path, text in described.items() if not text.endswith(".")] == []


def test_every_value_has_a_comment() -> None:
    lines = _VALUES.splitlines()
    bare = [
        line
        for before, line in zip(["", *lines], lines, strict=False)
        if re.match(r" *[a-zA-Z0-9_]+: *\S", line) and not before.lstrip().startswith("#")
    ]
    assert bare == []


def test_the_table_of_values_is_made_of_the_comments() -> None:
    page = values_table.README.read_text()
    assert page == values_table.with_table(page, values_table.make_table(_VALUES))
    listed = set(re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE))
    assert set(_leaves(libyaml.read(_VALUES))) - listed == set()


@pytest.mark.parametrize(("path", "value"), WRONG)
def test_schema_refuses(path: str, value: object) -> None:
    assert len(_faults(_set(path, value))) == 1


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("rbac.watchNamespaces", "default,production"),
        ("watchNamespaces", ["default"]),
        ("s3.endpoint", "http://s3.example:9000"),
        ("s3.maxBandwidth", "10Mi"),
        ("s3.patience", "5m"),
        ("s3.patience", "0"),
        ("s3.pathStyle", False),
        ("statusPage.listen", "none"),
        ("statusPage.listen", "0.0.0.0:8081"),
        ("statusPage.listen", "[::]:8081"),
        ("global", {"team": "a"}),
        ("enabled", True),
        ("resources", {"limits": {"cpu": 1}}),
        ("drill.images.mysql", "r.example:5000/mysql:{major}.{minor}"),
        ("drill.volume.limit", "100Gi"),
    ],
)
def test_schema_takes(path: str, value: object) -> None:
    assert _faults(_set(path, value)) == []


def test_chart_has_the_version_of_the_code() -> None:
    chart = libyaml.read((_CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (VERSION, VERSION)


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.env)
def test_every_setting_is_in_the_deployment(setting: Setting) -> None:
    deployment = (_CHART / "templates" / "_env.tpl").read_text()
    ranged = {image.setting for engine in ENGINES for image in engine.images}
    assert (
        setting.env in ranged
        or f"- name: {setting.env}\n" in deployment
        or f'"{setting.env}" $controller' in deployment
    )


@pytest.mark.parametrize(
    "setting",
    [setting for setting in SETTINGS if setting.chart and setting.chart not in _COMPUTED],
    ids=lambda setting: setting.env,
)
def test_chart_and_controller_have_the_same_defaults(setting: Setting) -> None:
    value: Any = libyaml.read(_VALUES)
    assert setting.chart is not None
    for name in setting.chart.split("."):
        value = value[name]
    shown = value if isinstance(value, str) else json.dumps(value)
    # An empty image reference stands for the published one.
    assert shown == setting.default or setting.chart.startswith("dumperImages.")


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.env)
def test_chart_value_of_a_setting_exists(setting: Setting) -> None:
    leaves = {*_leaves(libyaml.read(_VALUES)), "backupJob.pod", "drill.images", "drill.volume"}
    assert setting.chart is None or setting.chart in leaves


def test_dump_pods_get_what_the_chart_can_say_of_them() -> None:
    pod = libyaml.read(_VALUES)["backupJob"]["pod"]
    assert list(pod) == list(POD_FIELDS)
    env = {"WATCH_NAMESPACES": "a", "BACKUP_JOB_POD": json.dumps(pod)}
    assert Settings.from_env(env).job_pod == {}


@pytest.mark.parametrize("name", ["images", "volume"])
def test_drills_get_what_the_chart_says_and_that_is_the_controllers_default(name: str) -> None:
    value = libyaml.read(_VALUES)["drill"][name]
    (setting,) = (item for item in SETTINGS if item.chart == f"drill.{name}")
    assert setting.read(json.dumps(value)) == setting.read(setting.default)


def test_a_class_of_the_chart_may_hold_what_the_controller_takes() -> None:
    members = _SCHEMA["definitions"]["class"]["properties"]
    assert set(members) == {*IN_CLASSES, *MEMBERS}
    assert not set(MEMBERS) & {annotation.key for annotation in ANNOTATIONS}


def test_the_class_of_the_comment_is_one() -> None:
    comment = _VALUES.split("have it unnamed:\n", 1)[1].split("classes: {}", 1)[0]
    classes = libyaml.read(comment.replace("#   ", ""))
    assert _faults(_set("classes", classes)) == []
    check_classes(Settings.from_env({"WATCH_NAMESPACES": "a", "CLASSES": json.dumps(classes)}))


def test_every_database_has_its_place_among_the_images_of_drills() -> None:
    known = set(libyaml.read(_VALUES)["drill"]["images"])
    assert known == {engine.type for engine in ENGINES} | {"mariadb", "opensearch"}


def test_the_chart_has_the_image_of_every_engine_and_no_other() -> None:
    images = set(_leaves(libyaml.read(_VALUES)["dumperImages"], "dumperImages."))
    assert images == {image.chart for engine in ENGINES for image in engine.images}


def test_every_image_can_have_a_digest() -> None:
    values = libyaml.read(_VALUES)
    assert values["dumperDigests"] == values["dumperImages"]


def test_no_template_names_an_engine() -> None:
    for template in (_CHART / "templates").glob("*.yaml"):
        for engine in ENGINES:
            assert engine.type not in template.read_text().lower(), template.name


@pytest.mark.parametrize(
    ("engine", "image"),
    [pytest.param(engine, image, id=image.chart) for engine in ENGINES for image in engine.images],
)
def test_variable_and_repository_of_an_image_follow_from_its_value(
    engine: EngineSpec, image: DumperImage
) -> None:
    # The rule by which the chart's template makes them of the map's keys.
    version = image.chart.removeprefix(f"dumperImages.{engine.type}").removeprefix(".v")
    variable = [engine.type.upper(), "DUMPER", "IMAGE", version]
    assert image.setting == "_".join(filter(None, variable))
    name = ["ghcr.io/clickandmortar/ksnapshot-dumper", engine.type, version.replace("_", ".")]
    assert image.repository == "-".join(filter(None, name))
