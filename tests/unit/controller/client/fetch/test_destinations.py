import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest

from controller.client.fetch.destinations import _Whole, is_there, proven_file
from controller.client.terminal.errors import CommandError

TEXT = b"SELECT 1;\n"


def test_a_file_has_its_name_once_it_is_whole(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "shop.sql"
    with proven_file(path) as target:
        target.write(TEXT)
        assert not path.exists()
        [part] = path.parent.iterdir()
        assert part.name.startswith("shop.sql.")
        assert part.suffix == ".part"
        assert part.stat().st_mode & 0o777 == 0o600
    assert path.read_bytes() == TEXT
    assert list(path.parent.iterdir()) == [path]


def write_and(path: Path, then: Callable[[], object]) -> None:
    with proven_file(path) as target:
        target.write(TEXT)
        then()


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_nothing_is_left_of_what_was_not_proven(tmp_path: Path, error: type[BaseException]) -> None:
    def fail() -> None:
        raise error

    with pytest.raises(error):
        write_and(tmp_path / "shop.sql", fail)
    assert list(tmp_path.iterdir()) == []


def test_what_came_to_be_meanwhile_is_not_replaced(tmp_path: Path) -> None:
    path = tmp_path / "shop.sql"
    with pytest.raises(CommandError, match="nothing replaced it"):
        write_and(path, lambda: path.write_bytes(b"another's"))
    assert path.read_bytes() == b"another's"
    assert list(tmp_path.iterdir()) == [path]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(CommandError, match="cannot write"):
        write_and(tmp_path / "file" / "shop.sql", lambda: None)


def test_a_full_disk_is_named() -> None:
    with Path("/dev/full").open("wb", buffering=0) as full:
        target = _Whole(full.write, Path("shop.sql"))
        with pytest.raises(CommandError, match="No space left on device"):
            target.write(TEXT)


def test_what_is_there_already_counts_only_if_it_is_the_same(tmp_path: Path) -> None:
    path = tmp_path / "shop.sql"
    sha256 = hashlib.sha256(TEXT).hexdigest()
    assert not is_there(path, size=len(TEXT), sha256=sha256)
    path.write_bytes(TEXT)
    assert is_there(path, size=len(TEXT), sha256=sha256)
    for size, digest in ((len(TEXT), "0" * 64), (1, sha256), (len(TEXT), "")):
        with pytest.raises(CommandError, match="is there already") as raised:
            is_there(path, size=size, sha256=digest)
        assert raised.value.exit_code == 6
