"""Files with private keys: read on the laptop, handed to one Job, never shown."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from controller.client.terminal.errors import CommandError, Exit
from dumpers.contract.restore.identities import parse_identities

_LONGEST = 64 << 10


def identity_options(default: str = "") -> Callable[[Any], Any]:
    """Decorate a verb with the two ways to name a private key; `default` says what else is used."""
    file = click.option(
        "--identity",
        "-i",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        help="The file with the private key; it goes into a Secret that lives as long as the Job.",
    )
    secret = click.option(
        "--identity-secret",
        default="",
        metavar="SECRET[/KEY]",
        help=f"A Secret of the control namespace with the private key{default}.",
    )
    return lambda verb: file(secret(verb))


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
