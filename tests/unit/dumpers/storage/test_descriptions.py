"""Our reading of the SDK's descriptions is the SDK's own reading of them, only faster."""

import json
from pathlib import Path

import pytest
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader, create_loader

from dumpers.storage.s3.descriptions import Descriptions, descriptions

# S3 itself, and what credentials without keys come from.
SERVICES = ("s3", "sts", "sso", "sso-oidc")


def both(path: str | None = None) -> tuple[Descriptions, Loader]:
    return descriptions(path), create_loader(path)


@pytest.mark.parametrize("service", SERVICES)
@pytest.mark.parametrize("kind", ["service-2", "endpoint-rule-set-1", "paginators-1"])
def test_each_description_is_the_sdks_with_its_members_in_order(service: str, kind: str) -> None:
    ours, theirs = (loader.load_service_model(service, kind) for loader in both())
    assert json.dumps(ours) == json.dumps(theirs)


@pytest.mark.parametrize("name", ["endpoints", "partitions", "sdk-default-configuration", "_retry"])
def test_so_is_what_belongs_to_no_service(name: str) -> None:
    ours, theirs = (loader.load_data(name) for loader in both())
    assert json.dumps(ours) == json.dumps(theirs)


def test_every_service_that_the_sdk_finds_is_found() -> None:
    ours, theirs = (set(loader.list_available_services("service-2")) for loader in both())
    assert ours >= theirs >= set(SERVICES)


def test_what_the_environment_adds_comes_before_the_sdks_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ADDED", str(tmp_path))
    folder = tmp_path / "s3" / "2030-01-01"
    folder.mkdir(parents=True)
    (folder / "service-2.json").write_text('{"metadata": {"added": true}}')
    for loader in both("$ADDED"):
        assert loader.determine_latest_version("s3", "service-2") == "2030-01-01"
        assert loader.load_service_model("s3", "service-2") == {"metadata": {"added": True}}


def test_what_is_nowhere_is_told_in_the_sdks_way() -> None:
    for loader in both():
        with pytest.raises(DataNotFoundError):
            loader.load_data("nothing/here")
