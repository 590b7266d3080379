"""The private keys that a job was given."""

from pathlib import Path

from dumpers.runtime.errors import EncryptionError
from dumpers.streams import age


def read_identities(path: str) -> tuple[age.Identity, ...]:
    """The keys in a file; none where there is no file. EncryptionError says what is wrong."""
    if not path:
        return ()
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise EncryptionError(f"cannot read the identity file: {error.strerror}") from error
    return age.read_identities(text)
