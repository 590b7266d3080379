"""Images that later tests need are built while earlier ones wait for their pods."""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from tests.demo import images

# Of every end-to-end test; then those of the servers that only drills start in pods.
OF_ALL = (
    *(images.CONTROLLER, *images.DUMPERS),
    *(images.DATABASE, images.MARIADB, images.CLICKHOUSE_SERVER),
)
OF_DRILLS = (images.SEARCH_SERVER,)


def needed(items: Sequence[pytest.Item]) -> list[str]:
    """Short names of the images that the end-to-end tests among these need, in their order."""
    modules = {item.nodeid.partition("::")[0] for item in items}
    ours = {name for name in modules if name.startswith("tests/e2e/")}
    is_drilled = "tests/e2e/test_drills.py" in ours
    return [*(OF_ALL if ours else ()), *(OF_DRILLS if is_drilled else ())]


@contextmanager
def building_ahead(items: Sequence[pytest.Item]) -> Iterator[None]:
    """Build what these tests need, one after the other, as long as the context lasts.

    A failure is left for the build to tell that needs the image.
    """
    with ThreadPoolExecutor(1) as pool:
        built = [pool.submit(images.build, name) for name in needed(items)]
        try:
            yield
        finally:
            for late in built:
                late.cancel()
