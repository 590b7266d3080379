"""Signs with the admin's key: the only module that knows the library for it."""

import hashlib
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)

from dumpers.contract.proof.envelope import Signature, SignedStatement, signed_bytes
from dumpers.runtime.errors import ConfigurationError

# A key has 119 bytes; a file of another kind is not read whole.
_MOST_BYTES = 65_536
_MAKE_ONE = "make one by `openssl genpkey -algorithm ed25519 -out key.pem`"


def read_signing_key(path: str) -> Ed25519PrivateKey:
    """Read the private key; ConfigurationError says what is wrong with it, and nothing of it."""
    try:
        with Path(path).open("rb") as file:
            body = file.read(_MOST_BYTES)
    except OSError as error:
        raise ConfigurationError(
            f"the key that signs is not there ({error.strerror}): proof.signingKeySecret names a"
            f" Secret, or a key of one, that does not exist; {_MAKE_ONE}"
        ) from error
    try:
        key = load_pem_private_key(body, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # Whatever the library says of it could show a part of it.
        raise ConfigurationError(
            f"the key that signs is no private key in PEM without a passphrase: {_MAKE_ONE}"
        ) from None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError(f"the key that signs is of another kind than ed25519: {_MAKE_ONE}")
    return key


def sign(payload: bytes, key: Ed25519PrivateKey) -> SignedStatement:
    """Sign a Statement, as DSSE has it."""
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    signature = Signature(
        key_id=hashlib.sha256(public).hexdigest(), value=key.sign(signed_bytes(payload))
    )
    return SignedStatement(payload=payload, signatures=(signature,))
