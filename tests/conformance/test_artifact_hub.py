"""What Artifact Hub is told of the chart, held to the changelog, the images and the files."""

import re
from typing import Any

import pytest

from dumpers.runtime.version import VERSION
from tests import libyaml
from tests.demo import images
from tests.paths import REPOSITORY

_CHART = libyaml.read((REPOSITORY / "charts" / "ksnapshot" / "Chart.yaml").read_text())
_TOLD = {
    key.removeprefix("artifacthub.io/"): text
    for key, text in _CHART["annotations"].items()
    if key.startswith("artifacthub.io/")
}
_PREFIX = "https://github.com/clickandmortar/ksnapshot"


def _list(name: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = libyaml.read(_TOLD[name])
    return found


def _sections() -> set[str]:
    """The titles of this version's sections in the changelog."""
    text = (REPOSITORY / "CHANGELOG.md").read_text()
    found = re.search(
        rf"^## \[{re.escape(VERSION)}\].*?(?=^## |\Z)", text, re.MULTILINE | re.DOTALL
    )
    assert found
    return {title.lower() for title in re.findall(r"^### (\w+)$", found[0], re.MULTILINE)}


def test_it_has_these_and_each_is_text() -> None:
    assert _TOLD.keys() == {
        *("license", "operator", "prerelease", "containsSecurityUpdates"),
        *("images", "links", "changes"),
    }
    assert all(isinstance(text, str) for text in _TOLD.values())


def test_the_license_is_that_of_the_code() -> None:
    assert (REPOSITORY / "LICENSE").read_text().startswith(f"{_TOLD['license']} License")


def test_a_version_with_a_dash_is_a_prerelease() -> None:
    assert _TOLD["prerelease"] == str("-" in VERSION).lower()


def test_images_are_all_that_are_published_and_of_this_version() -> None:
    ours = images.published("ghcr.io/clickandmortar")
    assert {item["image"] for item in _list("images")} == {names[0] for names in ours.values()}
    names = [item["name"] for item in _list("images")]
    assert len(names) == len(set(names))


def test_changes_are_one_for_each_section_of_the_changelog() -> None:
    changes = _list("changes")
    assert [item["kind"] for item in changes] == sorted(_sections())
    assert all(item["description"] for item in changes)
    assert _TOLD["containsSecurityUpdates"] == str("security" in _sections()).lower()


@pytest.mark.parametrize("name", ["links", "changes"])
def test_links_lead_to_what_is_there(name: str) -> None:
    listed = [link for item in _list(name) for link in item.get("links", [item])]
    for link in listed:
        assert link["name"]
        url = link["url"].removeprefix(_PREFIX)
        path = re.fullmatch(r"/(?:blob|tree)/main/(.+)", url)
        assert url == "/issues" or (path and (REPOSITORY / path[1]).exists()), link
