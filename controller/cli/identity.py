"""Files with private keys: read on the laptop, handed to one Job, never shown."""

import base64
import re
from pathlib import Path

from controller.cli.errors import CommandError, Exit

_LONGEST = 64 << 10
_AGE = "AGE-SECRET-KEY-"
_PEM = "PRIVATE KEY-----"
_OTHER_KINDS = ("AGE-PLUGIN-", "AGE-SECRET-KEY-PQ-")
_ENCRYPTED = (
    "age-encryption.org/",
    "-----BEGIN AGE ENCRYPTED FILE-----",
    "BEGIN ENCRYPTED PRIVATE",
)

_OPENSSH = re.compile(
    r"-----BEGIN OPENSSH PRIVATE KEY-----([A-Za-z0-9+/=\s]+)-----END OPENSSH PRIVATE KEY-----"
)
# The format's magic, and the length and name of the cipher of a key without a passphrase.
# https://cvsweb.openbsd.org/src/usr.bin/ssh/PROTOCOL.key
_UNLOCKED = b"openssh-key-v1\0\0\0\0\4none"


def read_identity(file: Path) -> str:
    """Read a file of age identities or a private SSH key; raises CommandError for anything else.

    No message shows what the file holds.
    """
    try:
        with file.open("rb") as source:
            content = source.read(_LONGEST + 1)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", Exit.USAGE) from error
    if len(content) > _LONGEST:
        raise CommandError(f"{file} is larger than a file of keys: 64 KiB at most", Exit.USAGE)
    try:
        text = content.decode()
    except UnicodeDecodeError:
        text = ""
    if (
        any(mark in text for mark in _ENCRYPTED)
        or content.startswith(b"age-encryption.org/")
        or any(map(_is_locked, _OPENSSH.findall(text)))
    ):
        raise CommandError(
            f"{file} is locked by a passphrase, which a Job cannot ask for: unlock it first, as by "
            "`age -d -o key.txt FILE` or `ssh-keygen -p`, and remove the unlocked copy afterwards",
            Exit.USAGE,
        )
    if any(kind in text for kind in _OTHER_KINDS):
        raise CommandError(
            f"{file} holds a plugin's or a post-quantum identity: only X25519 and SSH keys can be "
            "used here; decrypt with `age` itself, see docs/restore.md",
            Exit.USAGE,
        )
    if _AGE not in text and _PEM not in text:
        public = " (it holds a public key)" if text.startswith(("age1", "ssh-")) else ""
        raise CommandError(
            f"{file} holds no private key{public}: it must have a line AGE-SECRET-KEY-1… or be a "
            "private SSH key",
            Exit.USAGE,
        )
    return text


def _is_locked(body: str) -> bool:
    """Whether an OpenSSH key, by its base64 text, has a passphrase."""
    try:
        return not base64.b64decode(body).startswith(_UNLOCKED)
    except ValueError:
        return False
