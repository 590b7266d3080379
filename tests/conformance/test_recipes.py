"""Each recipe is held to a golden view of what its operator makes, and to the plan of that view."""

import base64
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest

from controller.model.names import PREFIX
from tests import libyaml
from tests.paths import GOLDEN, REPOSITORY

_FOLDER = REPOSITORY / "docs" / "recipes"
_INDEX = (_FOLDER / "README.md").read_text()
_THERE = "# there already"
_MOST_LINES = 10

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    page: str
    text: str
    says: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.page}: {self.says['held by']}"

    @property
    def yaml(self) -> Any:
        return libyaml.read(self.text)

    @property
    def view(self) -> Json:
        document: Json = libyaml.read((GOLDEN / self.says["held by"] / "view.yaml").read_text())
        return document

    @property
    def items(self) -> list[Json]:
        plan = libyaml.read((GOLDEN / self.says["held by"] / "plan.yaml").read_text())
        return [item for item in plan["items"] if item["state"] == "wanted"]

    @property
    def objects(self) -> dict[str, Json]:
        """The CronJob and the Secret that come of it, by kind."""
        (item,) = self.items
        return {step["object"]["kind"]: step["object"] for step in item["steps"]}


def _recipes() -> Iterator[Recipe]:
    for page in sorted(_FOLDER.glob("*.md")):
        if page.name != "README.md":
            for text, rows in re.findall(
                r"^```yaml\n(.*?)^```$.*?((?:^\|[^\n]*\n)+)",
                page.read_text(),
                re.MULTILINE | re.DOTALL,
            ):
                cells = re.findall(r"^\| ([a-z ]+) \| (.+) \|$", rows, re.MULTILINE)
                says = {name: _quoted(cell)[-1] for name, cell in cells}
                yield Recipe(page=page.stem, text=text, says=says)


def _quoted(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


RECIPES = [*_recipes()]
# Page to the field that its row of the index names.
FIELDS = dict(re.findall(r"^\| \[.+\]\(([\w-]+)\.md\) \| .* \| `(.+)` \|$", _INDEX, re.MULTILINE))

each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=str)


def test_each_page_has_a_recipe_and_a_row() -> None:
    pages = {page.stem for page in _FOLDER.glob("*.md")} - {"README"}
    assert pages == {recipe.page for recipe in RECIPES} == set(FIELDS)
    blocks = sum(page.read_text().count("```yaml") for page in _FOLDER.glob("*.md"))
    # One more in the index.
    assert len(RECIPES) == blocks - 1


@each_recipe
def test_there_is_little_to_add(recipe: Recipe) -> None:
    lines = [line for line in recipe.text.splitlines() if not line.endswith(_THERE)]
    assert 0 < len(lines) <= _MOST_LINES


@each_recipe
def test_the_annotations_are_those_of_the_view(recipe: Recipe) -> None:
    added = annotations_at(recipe.yaml, FIELDS[recipe.page])
    asked = {key: value for key, value in added.items() if key.startswith(PREFIX)}
    assert asked == added
    namespace = recipe.says["workload"].partition("/")[0]
    pods = recipe.view["namespaces"][namespace]["pods"]
    seen = [_ours(pod) for pod in pods if _ours(pod)]
    assert seen
    assert all(annotations == asked for annotations in seen)


@each_recipe
def test_one_cronjob_comes_of_it_with_the_host_and_login_that_the_page_says(recipe: Recipe) -> None:
    (item,) = recipe.items
    assert item["workload"] == recipe.says["workload"]
    objects = recipe.objects
    pod = objects["CronJob"]["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    env = {entry["name"]: entry.get("value") for entry in pod["containers"][0]["env"]}
    (prefix,) = {name.removesuffix("_HOST") for name in env if name.endswith("_HOST")}
    assert f"{env[f'{prefix}_HOST']}:{env[f'{prefix}_PORT']}" == recipe.says["connects to"]
    namespace = recipe.says["workload"].partition("/")[0]
    source = recipe.view["namespaces"][namespace]["contents"][f"Secret/{recipe.says['login from']}"]
    password = objects["Secret"]["data"][f"{prefix}_PASSWORD"]
    assert base64.b64decode(password)
    assert password in source["data"].values()


def test_the_right_to_read_owners_is_the_charts() -> None:
    (block,) = re.findall(r"^```yaml\n(.*?)^```$", _INDEX, re.MULTILINE | re.DOTALL)
    role = REPOSITORY / "charts" / "ksnapshot" / "templates" / "_watching.tpl"
    assert block in role.read_text()


def _ours(pod: Json) -> Json:
    annotations = pod["metadata"].get("annotations") or {}
    return {key: value for key, value in annotations.items() if key.startswith(PREFIX)}


def annotations_at(document: Any, field: str) -> Json:
    """What a page's YAML adds at the field that its row of the index names."""
    (added,) = _at(document, field.split("."))
    return dict(added)


def _at(document: Any, path: list[str]) -> Iterator[Any]:
    """What lies at such a path; `name[]` is every item of a list."""
    if not path:
        yield document
        return
    first, *rest = path
    if first.endswith("[]"):
        for item in document[first.removesuffix("[]")]:
            yield from _at(item, rest)
    else:
        yield from _at(document[first], rest)
