"""Settings of jobs that restore backups into a throwaway server by a schedule of their own."""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from controller.settings import parsers
from controller.settings.setting import setting_field
from controller.settings.verification import VerificationSettings

# What an image of `drill.images` may leave to the version of the workload's server.
PLACEHOLDER = re.compile(r"\{(major|minor|version)\}")
# The images that the makers of the databases publish, and those of their best-known extensions.
_ALLOWED = (
    "docker.io/library/postgres:*",
    "docker.io/postgis/postgis:*",
    "docker.io/pgvector/pgvector:*",
    "docker.io/timescale/timescaledb:*",
    "docker.io/library/mysql:*",
    "docker.io/library/mariadb:*",
    "docker.io/clickhouse/clickhouse-server:*",
    "docker.elastic.co/elasticsearch/elasticsearch:*",
    "docker.io/library/elasticsearch:*",
    "docker.io/opensearchproject/opensearch:*",
)
_LIMIT = "20Gi"
_REFERENCE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/@-]{0,511}", re.ASCII)
_PATTERN = re.compile(r"[A-Za-z0-9*][A-Za-z0-9._:/@*-]{0,511}", re.ASCII)
_FLAVOUR = re.compile(r"[a-z]{1,63}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillVolume:
    """The room for the data of a throwaway server.

    Up to `limit`, a quantity of `limit_bytes`, it is on the node's disk; a drill that needs more
    gets a volume of the class `storage_class`, empty for the cluster's default.
    """

    limit: str
    limit_bytes: int
    storage_class: str


def parse_images(text: str) -> Mapping[str, str]:
    """Read the images by the names of databases, given as JSON; empty ones are left out."""
    found = {name: image for name, image in parsers.json_object(text).items() if image}
    for name, image in found.items():
        if not _FLAVOUR.fullmatch(name) or not isinstance(image, str):
            raise ValueError("must hold images by the names of databases, such as postgresql")
        if not _REFERENCE.fullmatch(PLACEHOLDER.sub("1", image)):
            known = "{major}, {minor}, {version}"
            raise ValueError(f"must hold an image for {name}, in which {known} may stand")
    return found


def parse_patterns(text: str) -> tuple[str, ...]:
    """Read the patterns of images, given as a JSON list."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    is_list = isinstance(found, list)
    if not is_list or not all(isinstance(one, str) and _PATTERN.fullmatch(one) for one in found):
        raise ValueError("must be a JSON list of images, in which * stands for any characters")
    return tuple(found)


def parse_volume(text: str) -> DrillVolume:
    """Read the room, given as JSON."""
    found = parsers.json_object(text)
    limit, name = found.pop("limit", None), found.pop("storageClassName", None)
    if found:
        raise ValueError("must hold limit and storageClassName, and nothing else")
    if name and not isinstance(name, str):
        raise ValueError("must hold the name of a StorageClass as storageClassName")
    return DrillVolume(
        limit=str(limit or _LIMIT),
        limit_bytes=parsers.whole_bytes(str(limit or _LIMIT)),
        storage_class=parsers.object_name(name) if name else "",
    )


def parse_pull_secrets(text: str) -> tuple[Mapping[str, str], ...]:
    """Read pull secrets as pods have them, given as a JSON list."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, list) or not all(map(_is_reference, found)):
        raise ValueError('must be a JSON list of pull secrets, such as [{"name": "registry"}]')
    return tuple({"name": parsers.object_name(one["name"])} for one in found)


def _is_reference(one: Any) -> bool:
    return isinstance(one, dict) and set(one) == {"name"} and isinstance(one["name"], str)


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillSettings(VerificationSettings):
    """See Settings, which has these fields."""

    drill_schedule: str = setting_field(
        env="DRILL_SCHEDULE",
        chart="drill.schedule",
        default=parsers.NONE,
        help="When backups are drilled where no annotation says so; `none`: by no schedule.",
        read=parsers.unless_none(str),
    )
    drill_deadline: int = setting_field(
        env="DRILL_DEADLINE_SECONDS",
        chart="drill.deadlineSeconds",
        default="21600",
        help="How long one drill may take, its retries included.",
        read=parsers.whole(60),
    )
    drill_images: Mapping[str, str] = setting_field(
        env="DRILL_IMAGES",
        chart="drill.images",
        default="{}",
        help="Images of the throwaway servers by database, as a JSON object; `{major}`, `{minor}` "
        "and `{version}` are those of the workload's server.",
        read=parse_images,
    )
    drill_allowed_images: tuple[str, ...] = setting_field(
        env="DRILL_ALLOWED_IMAGES",
        chart="drill.allowedImages",
        default=json.dumps(_ALLOWED),
        help="Where there is none: which images of workloads are run, as a JSON list; `*` stands "
        "for any characters.",
        read=parse_patterns,
    )
    drill_volume: DrillVolume = setting_field(
        env="DRILL_VOLUME",
        chart="drill.volume",
        default="{}",
        help="Room of the throwaway servers, as a JSON object: up to `limit` on the node, above it "
        "a volume of `storageClassName`.",
        read=parse_volume,
    )
    drill_resources: Mapping[str, Any] = setting_field(
        env="DRILL_RESOURCES",
        chart="drill.resources",
        default="{}",
        help="CPU, memory and ephemeral storage of the throwaway servers, as a JSON object.",
        read=lambda text: parsers.resources(parsers.json_object(text)),
    )
    drill_pull_secrets: tuple[Mapping[str, str], ...] = setting_field(
        env="DRILL_IMAGE_PULL_SECRETS",
        chart="drill.imagePullSecrets",
        default="[]",
        help="Pull secrets of the throwaway servers' images, as a JSON list.",
        read=parse_pull_secrets,
    )
