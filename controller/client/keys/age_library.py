"""age by the library pyrage, as the dumpers use it."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager

from dumpers.runtime.interrupt import Interrupt
from dumpers.streams import age
from dumpers.streams.decryption import DecryptReader
from dumpers.streams.reader import Reader
from dumpers.streams.unpacking import Decrypt

_LAST_SECONDS = 2.0


class AgeLibrary:
    """See AgeTool."""

    def new_identity(self) -> tuple[str, str]:
        """A new private key and its recipient."""
        identity = age.new_identity()
        [recipient] = self.public_keys(identity)
        return identity, recipient

    def public_keys(self, identity: str) -> Collection[str]:
        """The recipients of its keys, as far as these are age's own."""
        return age.public_keys(age.read_identities(identity))

    def decrypting(self, identity: str, interrupt: Interrupt) -> Decrypt:
        """What decrypts a stream; EncryptionError for keys of no use."""
        identities = age.read_identities(identity)

        @contextmanager
        def decrypt(source: Reader) -> Iterator[Reader]:
            reader = DecryptReader(source, identities, interrupt=interrupt)
            try:
                with reader:
                    yield reader
            finally:
                reader.join(_LAST_SECONDS)

        return decrypt

    def opens(self, header: bytes, identity: str) -> bool:
        """Whether one of the keys opens a file that begins so; BackupDamagedError if none can."""
        return age.opens(header, age.read_identities(identity))
