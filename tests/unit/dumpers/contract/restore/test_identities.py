import base64
from itertools import count

import pyrage
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from dumpers.contract.restore.identities import parse_identities
from dumpers.runtime.errors import EncryptionError
from dumpers.streams.age import read_identities

KEY = str(pyrage.x25519.Identity.generate())
OTHER = str(pyrage.x25519.Identity.generate())
ED25519 = ed25519.Ed25519PrivateKey.generate()
RSA = rsa.generate_private_key(65537, 2048)


def ssh(key: ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey) -> str:
    return key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


def locked() -> str:
    """A key as `ssh-keygen` writes it with a passphrase, as far as the name of its cipher."""
    body = base64.b64encode(b"openssh-key-v1\0\0\0\0\x0aaes256-ctr\0\0\0\x06bcrypt" + bytes(40))
    return (
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{body.decode()}\n-----END OPENSSH PRIVATE KEY-----"
    )


def pem(password: bytes = b"") -> str:
    lock = BestAvailableEncryption(password) if password else NoEncryption()
    return RSA.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, lock).decode()


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        (KEY, 1),
        (f"# created: today\n# public key: age1x\n{KEY}\n\n  {OTHER}\r\n", 2),
        (f"\N{ZERO WIDTH NO-BREAK SPACE}{KEY}", 1),
        (ssh(ED25519), 1),
        (ssh(RSA).replace("\n", "\r\n"), 1),
        (pem(), 1),
        (f"{KEY}\n{ssh(ED25519)}\n# and\n{ssh(RSA)}{OTHER}\n", 4),
    ],
    ids=count(),
)
def test_an_identity_file(text: str, keys: int) -> None:
    assert len(read_identities(text)) == keys


P384 = ec.generate_private_key(ec.SECP384R1())
ECDSA = P384.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()).decode()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no key"),
        ("# only a comment\n\n", "holds no key"),
        ("age-encryption.org/v1\n-> scrypt x 18\n", "protected by a passphrase"),
        ("-----BEGIN AGE ENCRYPTED FILE-----\nYWdl\n", "protected by a passphrase"),
        (f"{KEY}\n{locked()}", "line 2 of the identity file begins an SSH key that"),
        (pem(b"secret"), "line 1 of the identity file begins an SSH key that is protected"),
        (
            "-----BEGIN ENCRYPTED PRIVATE KEY-----\nabc\n-----END ENCRYPTED PRIVATE KEY-----",
            "prote",
        ),
        ("\n".join(ssh(ED25519).splitlines()[:-1]), "last line is missing"),
        (ssh(ED25519).replace("b3BlbnN", "b3B!bnN"), "cut or has a wrong character"),
        (ssh(ED25519).replace("b3BlbnN", "AAAAAAA"), "begins no SSH key"),
        (f"# x\n{KEY[:-1]}", "line 2 of the identity file is no key that age can use"),
        (KEY[:-1] + ("Q" if KEY[-1] != "Q" else "P"), "no key that age can use"),
        (ECDSA, "line 1 of the identity file is no key that age can use"),
        ("AGE-PLUGIN-YUBIKEY-1QQQ", "is a key of an age plugin"),
        ("AGE-SECRET-KEY-PQ-1QQQ", "post-quantum"),
        ("age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p", "is a public key"),
        ("ssh-ed25519 AAAA me", "is a public key"),
        ("hunter2", "is no key"),
    ],
    ids=count(),
)
def test_what_is_wrong_is_named_by_its_line_and_not_shown(text: str, message: str) -> None:
    with pytest.raises(EncryptionError) as refused:
        read_identities(text)
    said = str(refused.value)
    assert message in said
    for line in text.splitlines():
        assert len(line) < 12 or line.startswith(("-", "#")) or line not in said
    assert "hunter2" not in said


def test_a_key_is_not_shown_by_chance() -> None:
    [identity] = parse_identities(KEY)
    assert KEY not in repr(identity)
