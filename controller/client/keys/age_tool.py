"""age on this machine: the library where it is installed, else the program of that name."""

import shutil
from collections.abc import Collection
from typing import Protocol

from controller.client.keys.age_program import KEYGEN, PROGRAM, AgeProgram
from controller.client.terminal.errors import CommandError, Exit
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.unpacking import Decrypt


class AgeTool(Protocol):
    """What is done with keys; `identity` is the text of an identity file, which never shows."""

    def new_identity(self) -> tuple[str, str]:
        """A new private key and its recipient."""

    def public_keys(self, identity: str) -> Collection[str]:
        """The recipients of its keys, as far as these are age's own."""

    def decrypting(self, identity: str, interrupt: Interrupt) -> Decrypt:
        """What decrypts a stream; ConfigurationError or EncryptionError for keys of no use."""

    def opens(self, header: bytes, identity: str) -> bool:
        """Whether one of the keys opens a file that begins so; BackupDamagedError if none can."""


def find_age() -> AgeTool:
    """The library, else the program; CommandError names both where there is neither."""
    try:
        from controller.client.keys.age_library import AgeLibrary  # noqa: PLC0415  may be missing
    except ImportError:
        pass
    else:
        return AgeLibrary()
    program, keygen = shutil.which(PROGRAM), shutil.which(KEYGEN)
    if program and keygen:
        return AgeProgram(program=program, keygen=keygen)
    raise CommandError(
        "this verb encrypts and decrypts, and found nothing to do that with: install age, so that "
        f"{PROGRAM} and {KEYGEN} are in the PATH (https://age-encryption.org), or the Python "
        "package pyrage",
        Exit.USAGE,
    )
