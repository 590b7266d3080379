import multiprocessing
import os
from pathlib import Path

import pytest

from tests.testbed.toolchain import cache


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KSNAPSHOT_CACHE", str(tmp_path / "cache"))


def _build(target: Path) -> None:
    (target / "made-by").write_text(str(os.getpid()))


def _made_by(_: int) -> str:
    return (cache.entry("thing", ["1"], _build) / "made-by").read_text()


def test_two_processes_build_once() -> None:
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        assert len(set(pool.map(_made_by, range(8), chunksize=1))) == 1


def test_an_interrupted_build_is_built_again() -> None:
    def interrupted(target: Path) -> None:
        (target / "half").touch()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cache.entry("thing", ["1"], interrupted)
    made = cache.entry("thing", ["1"], _build)
    assert [path.name for path in made.iterdir()] == ["made-by"]


def test_what_a_killed_build_left_is_not_taken_for_the_thing() -> None:
    final = cache.path_of("thing", ["1"])
    left = final.with_name(f".{final.name}.building")
    left.mkdir()
    (left / "half").touch()
    made = cache.entry("thing", ["1"], _build)
    assert [path.name for path in made.iterdir()] == ["made-by"]


def test_new_inputs_replace_the_old_thing_and_no_other() -> None:
    other = cache.entry("thing-else", ["1"], _build)
    old = cache.entry("thing", ["1"], _build)
    new = cache.entry("thing", ["2"], _build)
    assert (old.exists(), new.exists(), other.exists()) == (False, True, True)
