"""Files with private keys: read on the laptop, handed to one Job, never shown."""

from pathlib import Path

from controller.client.terminal.errors import CommandError, Exit
from dumpers.contract.restore.identities import parse_identities

_LONGEST = 64 << 10


def read_identity(file: Path) -> str:
    """Read a file of age identities or private SSH keys; raises CommandError for anything else.

    No message shows what the file holds.
    """
    try:
        with file.open("rb") as source:
            content = source.read(_LONGEST + 1)
    except OSError as error:
        raise CommandError(f"{file}: {error.strerror}", Exit.USAGE) from error
    if len(content) > _LONGEST:
        raise CommandError(f"{file} is larger than a file of keys: 64 KiB at most", Exit.USAGE)
    text = content.decode(errors="replace")
    try:
        parse_identities(text)
    except ValueError as error:
        raise CommandError(f"{file}: {error}", Exit.USAGE) from error
    return text
