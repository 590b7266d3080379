import base64
from pathlib import Path

import pytest

from controller.cli.errors import CommandError
from controller.cli.identity import read_identity

# Shaped like keys, and none.
AGE = "AGE-SECRET-KEY-1" + "Q" * 58


def ssh(cipher: bytes) -> str:
    head = b"openssh-key-v1\0" + len(cipher).to_bytes(4, "big") + cipher + b"and so on"
    body = base64.encodebytes(head).decode()
    return f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body}-----END OPENSSH PRIVATE KEY-----\n"


SSH = ssh(b"none")


@pytest.mark.parametrize("text", [AGE, f"# created: today\n# public key: age1…\n{AGE}\n", SSH])
def test_identities_are_read_as_they_are(tmp_path: Path, text: str) -> None:
    file = tmp_path / "key.txt"
    file.write_text(text)
    assert read_identity(file) == text


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "holds no private key"),
        (b"age1qqq", "it holds a public key"),
        (b"ssh-ed25519 AAAA ada", "it holds a public key"),
        (b"age-encryption.org/v1\n-> scrypt xyz", "locked by a passphrase"),
        (b"age-encryption.org/v1\n-> scrypt xyz\n\xff\xfe", "locked by a passphrase"),
        (b"-----BEGIN AGE ENCRYPTED FILE-----\n", "locked by a passphrase"),
        (b"-----BEGIN ENCRYPTED PRIVATE KEY-----\n", "locked by a passphrase"),
        (ssh(b"aes256-ctr").encode(), "locked by a passphrase"),
        (b"AGE-PLUGIN-YUBIKEY-1QQQ", "a plugin's"),
        (b"AGE-SECRET-KEY-PQ-1QQQ", "post-quantum"),
        (b"\xff\xfe\x00", "holds no private key"),
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
