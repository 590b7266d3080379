"""age by its program, where the library is not installed, as beside the one-file command.

Keys travel by a file descriptor: never in arguments or the environment, nor on a disk.
"""

import contextlib
import os
import re
import subprocess
import tempfile
import threading
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, Self

from dumpers.contract.restore.identities import parse_identities
from dumpers.runtime.errors import (
    BackupDamagedError,
    EncryptionError,
    KsnapshotError,
    NoKeyFitsError,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import BLOCK_BYTES, BufferedReader, Reader
from dumpers.streams.unpacking import Decrypt

PROGRAM, KEYGEN = "age", "age-keygen"
_RECIPIENT = re.compile(r"^# public key: (age1\S+)$", re.MULTILINE)
# The program's words where no key fits, and where a key opens a header that nothing follows.
_NO_KEY, _NO_PAYLOAD = "no identity matched", "unexpected EOF"
_BAD_KEY = 'reading "/dev/fd/'
_NONCE_BYTES = 16
_MAX_SAID = 500


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
            raise EncryptionError(f"{self.keygen} made no key: {_short(made.stderr)}")
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
        return lambda source: _DecryptProcess(self.program, source, identity)

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


class _DecryptProcess(BufferedReader):
    """The bytes of `source` decrypted by the program. A context manager.

    The program hands out bytes before it can notice that the end is missing, so the end is told
    only once it has ended well, and has had all of the source.
    """

    def __init__(self, program: str, source: Reader, identity: str) -> None:
        super().__init__()
        self._program = program
        self._source = source
        self._identity = identity
        self._source_error: BaseException | None = None

    def __enter__(self) -> Self:
        self._said = tempfile.TemporaryFile()
        with _key_files(self._identity) as (arguments, descriptors):
            self._process = subprocess.Popen(
                [self._program, "--decrypt", *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._said,
                pass_fds=descriptors,
            )
        self._pump = threading.Thread(target=self._feed, name="age", daemon=True)
        self._pump.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()
        self._said.close()

    def next_block(self) -> bytes:
        """Return the next block; b"" once the whole file was decrypted and nothing follows it."""
        assert self._process.stdout is not None
        block = os.read(self._process.stdout.fileno(), BLOCK_BYTES)
        if not block:
            self._check_end()
        return block

    def _check_end(self) -> None:
        code = self._process.wait()
        self._pump.join()
        if self._source_error is not None:
            raise self._source_error
        if code:
            self._said.seek(0)
            raise _failure(self._said.read().decode(errors="replace"))

    def _feed(self) -> None:
        assert self._process.stdin is not None
        target: IO[bytes] = self._process.stdin
        try:
            while block := self._source.read():
                target.write(block)
            target.close()
        except (BrokenPipeError, ValueError):
            # The program has ended before: it says why.
            with contextlib.suppress(OSError):
                target.close()
        except BaseException as error:  # noqa: BLE001  whatever it is, it is the reader's
            self._source_error = error
            self._process.kill()
            with contextlib.suppress(OSError):
                target.close()


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
            f"the program age cannot use a key of the identity file: {_short(said)}"
        )
    return BackupDamagedError(f"the bytes are not those that were encrypted: {_short(said)}")


def _short(said: str) -> str:
    """The program's own first line; it shows no keys."""
    return (said.strip().splitlines() or ["it said nothing"])[0][:_MAX_SAID]
