"""The project's images and those of the demo: built from their Dockerfiles, brought to the cluster.

python -m tests.demo.images        builds the project's images, prints their archives
python -m tests.demo.images push   builds them, and pushes them to IMAGE_PREFIX with their version
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

from dumpers.runtime.version import VERSION
from tests.paths import REPOSITORY
from tests.testbed.cluster import images
from tests.testbed.cluster.one_node import Cluster
from tests.testbed.databases import mysql, search
from tests.testbed.toolchain.progress import progress
from tests.testbed.toolchain.tools import tool

CONTROLLER, POSTGRESQL = "ksnapshot", "ksnapshot-dumper-postgresql-16"
MYSQL, CLICKHOUSE = "ksnapshot-dumper-mysql-8", "ksnapshot-dumper-clickhouse"
ELASTICSEARCH = "ksnapshot-dumper-elasticsearch"
DATABASE, STORE = "ksnapshot-demo-database", "ksnapshot-demo-store"
MARIADB, CLICKHOUSE_SERVER = "ksnapshot-demo-mariadb", "ksnapshot-demo-clickhouse"
SEARCH_SERVER = "ksnapshot-demo-elasticsearch"
DUMPERS = {
    POSTGRESQL: "postgresql",
    MYSQL: "mysql",
    CLICKHOUSE: "clickhouse",
    ELASTICSEARCH: "elasticsearch",
}
# Names of 0.6.0 under which others still ask for an image.
_ALSO = {MYSQL: ("ksnapshot-dumper-mysql-5.7",)}
_TAG = "dev"


class ImageTransportError(RuntimeError):
    """An image could not be brought to the cluster; says what to set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    dockerfile: str
    globs: Sequence[str]
    context: Path = REPOSITORY
    arguments: Mapping[str, str] = field(default_factory=dict)
    others: Callable[[], Mapping[str, Path]] = dict
    suite: str = images.SUITE


def names() -> Mapping[str, str]:
    """Short name to the reference that pods use; IMAGE_PREFIX says where the cluster pulls from."""
    prefix = os.environ.get("IMAGE_PREFIX", "localhost").rstrip("/")
    known = (CONTROLLER, *DUMPERS, DATABASE, MARIADB, CLICKHOUSE_SERVER, SEARCH_SERVER, STORE)
    return {name: f"{prefix}/{name}:{_TAG}" for name in known}


def build(*wanted: str) -> Mapping[str, Path]:
    """Archives of the wanted images by short name; what has not changed is not built again."""
    made = {}
    for name in wanted:
        recipe = _recipe(name)
        made[name] = images.build(
            names()[name],
            REPOSITORY / recipe.dockerfile,
            recipe.context,
            recipe.globs,
            {"VERSION": VERSION, **recipe.arguments},
            recipe.others(),
            suite=recipe.suite,
        )
    return made


def bring(cluster: Cluster, archives: Mapping[str, Path]) -> None:
    """Make the images known to the cluster: into its node, by kind, or through IMAGE_PREFIX."""
    if cluster.layout is not None:
        # Each keeps one processor busy with unpacking.
        with ThreadPoolExecutor(2) as pool:
            list(pool.map(cluster.load_image, archives.values()))
        return
    for name, archive in archives.items():
        reference = names()[name]
        if "IMAGE_PREFIX" in os.environ:
            images.push(archive, reference)
        elif shutil.which("kind"):
            with progress(f"kind load {reference}"):
                subprocess.run(["kind", "load", "image-archive", str(archive)], check=True)
        else:
            raise ImageTransportError(
                "this cluster gets no images: set IMAGE_PREFIX to a registry that it pulls from "
                "and you may push to, or use a kind cluster with kind in PATH"
            )


def published(prefix: str) -> Mapping[str, Sequence[str]]:
    """Short name of each of the project's images to the references that it is published under."""
    return {
        name: [f"{prefix}/{one}:{VERSION}" for one in (name, *_ALSO.get(name, ()))]
        for name in (CONTROLLER, *DUMPERS)
    }


def push() -> Iterator[str]:
    """Build the project's images and push them; the references, each as soon as it is there."""
    prefix = os.environ.get("IMAGE_PREFIX", "").rstrip("/")
    if not prefix:
        raise ImageTransportError(
            "set IMAGE_PREFIX to a registry that you may push to, such as registry.example/me"
        )
    targets = published(prefix)
    for name, archive in build(*targets).items():
        images.push(archive, names()[name], targets[name])
        yield from targets[name]


def _recipe(name: str) -> _Recipe:
    if name == CONTROLLER:
        globs = ["controller", "dumpers", "locks/controller.txt", "images/shared"]
        return _Recipe(dockerfile="images/controller/Dockerfile", globs=globs)
    if name in DUMPERS:
        return _dumper(DUMPERS[name])
    if name in {DATABASE, MARIADB, CLICKHOUSE_SERVER}:
        folder = name.removeprefix("ksnapshot-demo-")
        return _Recipe(
            dockerfile=f"tests/demo/{folder}/Dockerfile",
            globs=["start-*"],
            context=REPOSITORY / "tests/demo" / folder,
            # The last release of Debian that has ClickHouse.
            suite="bookworm" if name == CLICKHOUSE_SERVER else images.SUITE,
        )
    if name == SEARCH_SERVER:
        return _Recipe(
            dockerfile="tests/demo/elasticsearch/Dockerfile",
            globs=["*"],
            context=search.installation("elasticsearch-7"),
            suite="bookworm",
        )
    return _Recipe(
        dockerfile="tests/demo/store/Dockerfile",
        globs=["versitygw"],
        context=tool("versitygw").parent,
    )


def _dumper(engine: str) -> _Recipe:
    recipe = _Recipe(
        dockerfile="images/dumper/Dockerfile",
        globs=["dumpers", "locks/dumper.txt", "images/shared", f"images/{engine}"],
        arguments={"ENGINE": engine},
    )
    if engine == "postgresql":
        # Debian's clients alone: they are enough here, and no further package source is asked.
        return replace(recipe, arguments={**recipe.arguments, "MAJORS": ""})
    if engine == "mysql":
        return replace(
            recipe,
            arguments={**recipe.arguments, "MYSQL": mysql.CLIENT_IMAGE},
            others=lambda: {mysql.CLIENT_IMAGE: mysql.client_image()},
        )
    return recipe


def main(arguments: Sequence[str]) -> int:
    """Nothing, or `push`."""
    if arguments not in ([], ["push"]):
        print("python -m tests.demo.images [push]", file=sys.stderr)
        return 2
    try:
        for made in push() if arguments else build(CONTROLLER, *DUMPERS).values():
            print(made)
    except ImageTransportError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
