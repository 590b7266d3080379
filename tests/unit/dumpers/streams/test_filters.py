import gzip
import hashlib
import io

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import strategies as st

from dumpers.runtime.errors import EncryptionError, SourceFailedError, StorageFailedError
from dumpers.streams import age
from dumpers.streams.filters import CountingReader, GzipReader
from dumpers.streams.reader import copy

IDENTITY = pyrage.x25519.Identity.generate()


class Broken:
    """Gives some bytes, then fails, on whichever side it stands."""

    def __init__(self, error: Exception, after: int = 1 << 18) -> None:
        self.error, self.left = error, after

    def read(self, size: int = -1, /) -> bytes:
        if self.left <= 0:
            raise self.error
        self.left -= 1 << 14
        return b"x" * (1 << 14)

    def write(self, data: bytes, /) -> int:
        self.left -= len(data)
        if self.left <= 0:
            raise self.error
        return len(data)

    def flush(self) -> None:
        pass


@given(blocks=st.lists(st.binary(max_size=5000), max_size=20), size=st.integers(1, 9000))
def test_gzip_gives_back_what_went_in(blocks: list[bytes], size: int) -> None:
    data = b"".join(blocks)
    pieces = []
    with CountingReader(io.BytesIO(data)) as counted:
        packed = GzipReader(counted)
        while piece := packed.read(size):
            assert len(piece) <= size
            pieces.append(piece)
    assert gzip.decompress(b"".join(pieces)) == data
    assert (counted.count, counted.sha256()) == (len(data), hashlib.sha256(data).hexdigest())


def test_a_digest_ends_its_thread_whatever_happens() -> None:
    with pytest.raises(SourceFailedError), CountingReader(Broken(SourceFailedError("x"))) as raw:
        copy(raw, io.BytesIO())
    assert not raw._digest._thread.is_alive()
    assert raw.sha256() == hashlib.sha256(b"x" * raw.count).hexdigest()


def test_gzip_is_the_same_for_the_same_bytes() -> None:
    first, second = (GzipReader(io.BytesIO(b"data")).read(100) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("size", [0, 1, 65536, 1 << 20])
def test_every_recipient_can_decrypt(size: int) -> None:
    other = pyrage.x25519.Identity.generate()
    texts = [str(key.to_public()) for key in (IDENTITY, other)]
    data = hashlib.sha256(b"").digest() * (size // 32)
    target = io.BytesIO()
    age.encrypt(io.BytesIO(data), target, age.parse_recipients(texts))
    for identity in (IDENTITY, other):
        assert pyrage.decrypt(target.getvalue(), [identity]) == data


@pytest.mark.parametrize(
    "key",
    [ed25519.Ed25519PrivateKey.generate(), rsa.generate_private_key(65537, 2048)],
    ids=["ed25519", "rsa"],
)
def test_an_ssh_key_can_decrypt_beside_an_age_key(
    key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey,
) -> None:
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    target = io.BytesIO()
    texts = [f"{public} backup@host", str(IDENTITY.to_public())]
    age.encrypt(io.BytesIO(b"data"), target, age.parse_recipients(texts))
    for identity in (IDENTITY, pyrage.ssh.Identity.from_buffer(private)):
        assert pyrage.decrypt(target.getvalue(), [identity]) == b"data"


def test_all_wrong_recipients_are_named_at_once() -> None:
    texts = ["age1typo", str(IDENTITY.to_public()), "ssh-dss AAAA"]
    words = r"recipient 1 of 3 is not.*recipient 3 of 3 is an SSH key of a kind"
    with pytest.raises(EncryptionError, match=words):
        age.parse_recipients(texts)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "age1",
        "age1xyz",
        "ssh-rsa",
        pytest.param(str(IDENTITY.to_public())[:-1], id="cut"),
        "age1ü",
    ],
)
def test_what_is_no_recipient_is_named(text: str) -> None:
    with pytest.raises(EncryptionError, match="is not an age recipient"):
        age.parse_recipients([text])


@pytest.mark.parametrize(
    "text",
    [
        str(IDENTITY),
        f"# created: now\n# public key: {IDENTITY.to_public()}\n{IDENTITY}",
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3BlbnNzaC1rZXktdjEA",
        f"age1{IDENTITY}",
    ],
    ids=["age", "age with comments", "OpenSSH", "behind a recipient's beginning"],
)
def test_a_private_key_is_not_repeated(text: str) -> None:
    with pytest.raises(EncryptionError, match="private key") as caught:
        age.parse_recipients([text])
    assert str(IDENTITY)[20:] not in str(caught.value)
    assert "b3BlbnNz" not in str(caught.value)


def test_a_private_key_in_two_parts_is_not_repeated_either() -> None:
    with pytest.raises(EncryptionError, match="private key") as caught:
        age.parse_recipients(["AGE-SECRET-", "KEY-1HUNTER2"])
    assert "HUNTER2" not in str(caught.value)


def recipients() -> tuple[age.Recipient, ...]:
    return age.parse_recipients([str(IDENTITY.to_public())])


def test_a_reader_that_fails_is_heard_through_the_encryption() -> None:
    error = SourceFailedError("tool died")
    with pytest.raises(SourceFailedError) as caught:
        age.encrypt(GzipReader(Broken(error)), io.BytesIO(), recipients())
    assert caught.value is error


def test_a_writer_that_fails_is_heard_through_the_encryption() -> None:
    error = StorageFailedError("store died")
    with pytest.raises(StorageFailedError) as caught:
        age.encrypt(io.BytesIO(b"y" * (1 << 20)), Broken(error), recipients())
    assert caught.value is error


def test_copy_passes_errors_on() -> None:
    error = SourceFailedError("tool died")
    with pytest.raises(SourceFailedError) as caught:
        copy(Broken(error), io.BytesIO())
    assert caught.value is error
