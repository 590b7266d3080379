from pathlib import Path

import pytest

from controller.client.restore.identity import read_identity
from controller.client.terminal.errors import CommandError

# Shaped like a key, and none.
AGE = "AGE-SECRET-KEY-1" + "Q" * 58


def test_a_file_is_read_as_it_is(tmp_path: Path) -> None:
    file = tmp_path / "key.txt"
    file.write_text(f"# created: today\n{AGE}\n")
    assert read_identity(file) == f"# created: today\n{AGE}\n"


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds no key"),
        (b"age1qqq", "is a public key"),
        (b"age-encryption.org/v1\n-> scrypt xyz\n\xff\xfe", "protected by a passphrase"),
        (AGE.encode() + b"\n\xff\xfe\x00", "is no key"),
        (b"x" * 70_000, "larger than a file of keys"),
    ],
)
def test_other_files_are_refused_and_not_shown(tmp_path: Path, content: bytes, why: str) -> None:
    file = tmp_path / "key.txt"
    file.write_bytes(content)
    with pytest.raises(CommandError, match=why) as caught:
        read_identity(file)
    assert "QQQ" not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"key\.txt: No such file"):
        read_identity(tmp_path / "key.txt")
