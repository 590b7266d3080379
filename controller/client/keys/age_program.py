"""age by its program, where the library is not installed, as beside the one-file command.

Keys travel by a file descriptor: never in arguments or the environment, nor on a disk.
"""

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from controller.client.keys.program_reader import ProgramReader, first_line
from dumpers.contract.restore.identities import parse_identities
from dumpers.runtime.errors import (
    BackupDamagedError,
    EncryptionError,
    KsnapshotError,
    NoKeyFitsError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from dumpers.streams.unpacking import Decrypt

PROGRAM, KEYGEN = "age", "age-keygen"
_RECIPIENT = re.compile(r"^# public key: (age1\S+)$", re.MULTILINE)
# The program's words where no key fits, and where a key opens a header that nothing follows.
_NO_KEY, _NO_PAYLOAD = "no identity matched", "unexpected EOF"
_BAD_KEY = 'reading "/dev/fd/'
_NONCE_BYTES = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class AgeProgram:
    """See AgeTool; `program` and `keygen` are paths."""

    program: str
    keygen: str

    def new_identity(self) -> tuple[str, str]:
        """A new private key and its recipient."""
        made = subprocess.run([self.keygen], capture_output=True, text=True, check=False)
        found = _RECIPIENT.search(made.stdout)
        if made.returncode or found is None:
            raise EncryptionError(f"{self.keygen} made no key: {first_line(made.stderr)}")
        return made.stdout, found[1]

    def public_keys(self, identity: str) -> Collection[str]:
        """The recipients of its keys, as far as these are age's own."""
        shown = subprocess.run(
            [self.keygen, "-y"], input=identity, capture_output=True, text=True, check=False
        )
        return frozenset(shown.stdout.split()) if shown.returncode == 0 else frozenset()

    def decrypting(self, identity: str, interrupt: Interrupt) -> Decrypt:
        """What decrypts a stream."""
        del interrupt  # A signal ends the program, too.
        return lambda source: _decrypting(self.program, source, identity)

    def opens(self, header: bytes, identity: str) -> bool:
        """Whether one of the keys opens a file that begins so; BackupDamagedError if none can."""
        with _key_files(identity) as (arguments, descriptors):
            done = subprocess.run(
                [self.program, "--decrypt", *arguments],
                input=header + bytes(_NONCE_BYTES),
                capture_output=True,
                pass_fds=descriptors,
                check=False,
            )
        said = done.stderr.decode(errors="replace")
        if _NO_KEY in said:
            return False
        if _NO_PAYLOAD in said:
            return True
        raise _failure(said)


@contextmanager
def _decrypting(program: str, source: Reader, identity: str) -> Iterator[Reader]:
    with ExitStack() as opened:
        with _key_files(identity) as (arguments, descriptors):
            command = [program, "--decrypt", *arguments]
            reader = ProgramReader(command, source, failure=_failure, descriptors=descriptors)
            opened.enter_context(reader)
        yield reader


@contextmanager
def _key_files(identity: str) -> Iterator[tuple[Sequence[str], Sequence[int]]]:
    """The program's arguments for these keys, and the descriptors from which it reads them, once.

    It takes keys of its own together, and each of SSH from a file of its own.
    """
    keys = parse_identities(identity)
    own = "".join(f"{key.text}\n" for key in keys if not key.is_ssh)
    texts = [text for text in (own, *(key.text for key in keys if key.is_ssh)) if text]
    with contextlib.ExitStack() as opened:
        descriptors = [opened.enter_context(_key_file(text)) for text in texts]
        yield (
            [part for key in descriptors for part in ("--identity", f"/dev/fd/{key}")],
            descriptors,
        )


@contextmanager
def _key_file(text: str) -> Iterator[int]:
    """A descriptor from which this text can be read, once."""
    read, write = os.pipe()

    def fill() -> None:
        with contextlib.suppress(OSError), open(write, "wb") as target:  # noqa: PTH123  a descriptor
            target.write(text.encode())

    threading.Thread(target=fill, name="key", daemon=True).start()
    try:
        yield read
    finally:
        os.close(read)


def _failure(said: str) -> KsnapshotError:
    if _NO_KEY in said:
        return NoKeyFitsError("none of the given keys opens it")
    if _BAD_KEY in said:
        return EncryptionError(
            f"the program age cannot use a key of the identity file: {first_line(said)}"
        )
    return BackupDamagedError(f"the bytes are not those that were encrypted: {first_line(said)}")
