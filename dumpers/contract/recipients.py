"""The age recipients that a dump can encrypt to, told by their syntax; private keys by shape.

Controller and dumper share these checks, so that a typo is refused when it is made and not when
the dump runs. The dumper's library takes X25519 recipients (age1…, bech32 as in BIP 173), and SSH
public keys of the types ssh-ed25519 and ssh-rsa.
"""

import base64
import binascii
import re
import unicodedata
from collections.abc import Iterator

PRIVATE_KEY_FAULT = (
    "must hold public keys only, but holds a private key: give the public key (age1…) that belongs "
    "to it, and treat the private key as leaked"
)
_WANTED = "it must be a public key (age1…, ssh-ed25519 … or ssh-rsa …)"
_USE_INSTEAD = "give an age1… recipient made by age-keygen, or an ssh-ed25519 or ssh-rsa key"
# As they are without what is no letter and no digit, in capitals: AGE-SECRET-KEY-1…,
# AGE-SECRET-KEY-PQ-1…, AGE-PLUGIN-<NAME>-1…, -----BEGIN … PRIVATE KEY-----, PuTTY's files, and the
# base64 of what every OpenSSH private key starts with.
_PRIVATE_KEYS = (
    "AGESECRETKEY",
    "SECRETKEY1",
    "SECRETKEYPQ1",
    "AGEPLUGIN",
    "PRIVATEKEY",
    "PUTTYUSERKEYFILE",
    "B3BLBNNZAC1RZXKTDJ",
)
_NEITHER_LETTER_NOR_DIGIT = re.compile(r"[^A-Z0-9]+")
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_GENERATORS = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
_AGE, _AGE_LENGTH = "age", 62
_AGE_START = "age1"
_PLUGIN = re.compile(r"age1(?P<name>[a-z][a-z0-9+._-]{0,31}?)1")
_POST_QUANTUM = frozenset({"pq", "tagpq", "mlkem768", "mlkem768x25519", "xwing"})
_PLUGINS = _POST_QUANTUM | {"yubikey", "se", "tpm", "tag", "fido2-hmac", "sss", "openpgp"}
_ED25519, _RSA = "ssh-ed25519", "ssh-rsa"
_OTHER_SSH = frozenset(
    {
        "ssh-dss",
        "ssh-ed448",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "sk-ssh-ed25519@openssh.com",
        "sk-ecdsa-sha2-nistp256@openssh.com",
    }
)
_ED25519_SIZE = 32
_RSA_BITS = range(2048, 4097)
_SSH_LENGTH = 4


def holds_private_key(text: str) -> bool:
    """Whether a text has the shape of a private key anywhere, however it is spaced or written."""
    plain = unicodedata.normalize("NFKC", text).upper()
    letters = _NEITHER_LETTER_NOR_DIGIT.sub("", plain)
    return any(shape in letters for shape in _PRIVATE_KEYS)


def split_recipients(text: str) -> tuple[str, ...]:
    """The recipients of a list that is separated by commas, without the blanks around each."""
    return tuple(item.strip() for item in text.split(",") if item.strip())


def recipient_fault(recipient: str) -> str:
    """Why a dump cannot encrypt to a recipient, as the end of a sentence; empty where it can.

    The fault shows nothing of the recipient but its kind.
    """
    if holds_private_key(recipient):
        return PRIVATE_KEY_FAULT
    kind, _, rest = recipient.partition(" ")
    if kind in {_ED25519, _RSA}:
        return _ssh_fault(kind, rest.partition(" ")[0])
    if kind in _OTHER_SSH:
        return f"is an SSH key of the type {kind}, which age cannot encrypt to: {_USE_INSTEAD}"
    if recipient.lower().startswith(("github:", "https://github.com/")):
        return f"names a GitHub user, and no keys are fetched: {_USE_INSTEAD}"
    if recipient.lower().startswith(_AGE_START):
        return _age_fault(recipient)
    return f"is no age recipient: {_WANTED}"


def _age_fault(recipient: str) -> str:
    text = recipient.lower()
    plugin = _PLUGIN.match(text)
    # An X25519 recipient has no second 1; where one of its length has, that is a typo.
    if plugin and (len(text) != _AGE_LENGTH or plugin["name"] in _PLUGINS):
        name = plugin["name"]
        if name in _POST_QUANTUM:
            return f"is a post-quantum recipient ({name}), which dumps cannot use: {_USE_INSTEAD}"
        shown = f"the age plugin {name}" if name in _PLUGINS else "an age plugin"
        return f"is a recipient of {shown}, and dumps have no plugins: {_USE_INSTEAD}"
    if len(text) != _AGE_LENGTH:
        return (
            f"has {len(text)} characters, and an age1… recipient has {_AGE_LENGTH}: it is cut, or "
            "has a typo"
        )
    if recipient not in {text, text.upper()} or not _is_bech32(text):
        return "has a wrong checksum: it has a typo, or is no age1… recipient"
    return ""


def _is_bech32(text: str) -> bool:
    """Whether the checksum of BIP 173 holds for the human-readable part `age`."""
    data = [_BECH32.find(letter) for letter in text.removeprefix(_AGE_START)]
    if min(data) < 0:
        return False
    high = [ord(letter) >> 5 for letter in _AGE]
    low = [ord(letter) & 31 for letter in _AGE]
    checksum = 1
    for value in (*high, 0, *low, *data):
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATORS):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum == 1


def _ssh_fault(kind: str, body: str) -> str:
    cut = f"is no whole {kind} key: the base64 behind the type is missing, cut, or has a typo"
    try:
        fields = list(_ssh_fields(base64.b64decode(body, validate=True)))
    except (binascii.Error, ValueError):
        return cut
    if not fields:
        return cut
    if fields[0] != kind.encode():
        return f"is no {kind} key: its base64 holds another type"
    if kind == _ED25519:
        return "" if [len(part) for part in fields[1:]] == [_ED25519_SIZE] else cut
    if len(fields) != len(("type", "exponent", "modulus")):
        return cut
    bits = int.from_bytes(fields[2]).bit_length()
    wanted = f"{_RSA_BITS[0]} to {_RSA_BITS[-1]}"
    return "" if bits in _RSA_BITS else f"is an {kind} key of {bits} bits: age takes {wanted}"


def _ssh_fields(data: bytes) -> Iterator[bytes]:
    """The fields of an SSH public key (RFC 4253), each behind its length; ValueError if cut."""
    while data:
        size = int.from_bytes(data[:_SSH_LENGTH])
        field, data = data[_SSH_LENGTH : _SSH_LENGTH + size], data[_SSH_LENGTH + size :]
        if len(field) != size or not size:
            raise ValueError("a field is cut")
        yield field
