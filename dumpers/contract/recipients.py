"""Checks what age recipients look like, and finds private keys pasted in their place.

No function repeats any part of a recipient in what it returns or raises: the text may be a secret.
The syntax is that of age's specification (C2SP age.md) and of SSH public keys (RFC 4253, RFC 8709),
narrowed to what the dumper's library encrypts to.
"""

import binascii
import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import lru_cache

PRIVATE_KEY = (
    "must never hold a private key: give the public key (age1…) that belongs to it, and treat the "
    "private key as leaked"
)
_WANTED = "must hold public keys (age1…, ssh-ed25519 … or ssh-rsa …), separated by commas"
_X25519 = "give an age1… recipient as age-keygen makes it"
_SSH_KINDS = "give an ssh-ed25519 or ssh-rsa key, or an age1… recipient"
# Faults named in one message, which must not grow with the number of recipients.
_NAMED = 3

_AGE = "age"
_AGE_LENGTH = 62
_BECH32 = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
_BECH32_CHECKSUM = 6
_BECH32_GENERATOR = (0x3B6A57B2, 0x26508E6D, 0x1EA119FA, 0x3D4233DD, 0x2A1462B3)
# Recipients `age1<name>1…` that need a plugin, or a newer age than the dumper's library.
_OTHER_AGE_KINDS = {
    "pq": "a post-quantum recipient (age1pq1…)",
    "tag": "a recipient of a hardware key (age1tag1…)",
    "tagpq": "a post-quantum recipient of a hardware key (age1tagpq1…)",
    **{
        name: f"a recipient of the plugin {name} (age1{name}1…)"
        for name in ("yubikey", "tpm", "se", "fido2-hmac", "sss", "simple", "openpgp-card")
    },
}

_ED25519, _RSA = "ssh-ed25519", "ssh-rsa"
_OTHER_SSH_KIND = re.compile(
    r"(ssh-dss|ecdsa-sha2-nistp(256|384|521)|sk-ssh-ed25519@openssh\.com"
    r"|sk-ecdsa-sha2-nistp256@openssh\.com|ssh-(ed25519|rsa|dss)-cert-v0[01]@openssh\.com)(?: |$)"
)
_RSA_BITS = range(2048, 4097)
_RSA_EXPONENTS = range(3, 1 << 33)
# The field of Curve25519 and the constant of its Edwards form (RFC 8032, section 5.1).
_PRIME = 2**255 - 19
_EDWARDS = -121665 * pow(121666, -1, _PRIME) % _PRIME

# Searched in lower case without blanks, line ends and commas; bounded, so that a search is linear.
_PRIVATE_SHAPES = re.compile(
    r"age-secret-key-|age-plugin-[a-z0-9+._-]{0,64}1[02-9ac-hj-np-z]{6}"
    r"|begin[a-z0-9]{0,40}privatekey|putty-user-key-file"
    # What the body of an OpenSSH private key begins with: "openssh-key-v1" in base64.
    r"|b3blbnnzac1rzxktdje"
)
_PLUGIN_IDENTITY = re.compile(r"(?<![a-z0-9])age-plugin-")


class _PlainLetters(dict[int, str]):
    """Characters with dashes made equal, and without what does not show; filled when asked."""

    def __missing__(self, code: int) -> str:
        letter = chr(code)
        category = unicodedata.category(letter)
        if category == "Pd" or letter == "\N{MINUS SIGN}":
            letter = "-"
        elif category[0] in "CZ":
            # A format character may stand within a word, all others end one.
            letter = "" if category == "Cf" else " "
        self[code] = letter
        return letter


_PLAIN = _PlainLetters()


def split_recipients(text: str) -> tuple[str, ...]:
    """Split a list at its commas; empty entries and blanks around entries do not count."""
    return tuple(item for item in map(str.strip, text.split(",")) if item)


def holds_private_key(text: str) -> bool:
    """Whether a text has the shape of a private key, in any case, across line ends and commas."""
    plain = unicodedata.normalize("NFKC", text).translate(_PLAIN).casefold()
    joined = "".join(plain.replace(",", " ").split())
    return bool(_PRIVATE_SHAPES.search(joined) or _PLUGIN_IDENTITY.search(plain))


# Many workloads share their recipients; a text that is refused is not kept.
@lru_cache(maxsize=1024)
def check_recipients(text: str) -> str:
    """Return a list of recipients as it stands; ValueError names every fault without its text."""
    if holds_private_key(text):
        raise ValueError(PRIVATE_KEY)
    if not text.isprintable():
        raise ValueError(f"{_WANTED}: it holds a line end or another character that does not print")
    recipients = split_recipients(text)
    if not recipients:
        raise ValueError(f"{_WANTED}: it holds none")
    if faults := list(recipient_faults(recipients)):
        raise ValueError(f"{_WANTED}: {join_faults(faults)}")
    return text


def recipient_faults(recipients: Sequence[str]) -> Iterator[str]:
    """Yield what is wrong with each bad recipient, which is named by its place in the list."""
    for place, recipient in enumerate(recipients, 1):
        if fault := recipient_fault(recipient):
            yield f"{name_place(place, len(recipients))} {fault}"


def name_place(place: int, count: int) -> str:
    """Name a recipient by its place in the list, from 1."""
    return "the recipient" if count == 1 else f"recipient {place} of {count}"


def join_faults(faults: Sequence[str]) -> str:
    """Join the first few faults to one text."""
    more = f"; and {len(faults) - _NAMED} more" if len(faults) > _NAMED else ""
    return "; ".join(faults[:_NAMED]) + more


def recipient_fault(recipient: str) -> str | None:
    """What is wrong with one recipient, as the end of a sentence about it; None if it is right."""
    if holds_private_key(recipient):
        return (
            "holds a private key: give only the public key (age1…) that belongs to it, and treat "
            "the private key as leaked"
        )
    if not recipient.isprintable():
        return "is not an age recipient: it holds a character that does not print"
    if recipient.partition(" ")[0] in {_ED25519, _RSA}:
        return _ssh_fault(recipient)
    if recipient.lower().startswith(_AGE + "1"):
        return _age_fault(recipient)
    return _unknown_fault(recipient)


def _unknown_fault(recipient: str) -> str:
    if match := _OTHER_SSH_KIND.match(recipient):
        return f"is an SSH key of a kind that age cannot encrypt to ({match[1]}): {_SSH_KINDS}"
    if recipient.lower().startswith(("github:", "gitlab:", "https:", "http:")):
        return (
            "is a place where keys are, and no key: write the public keys themselves, as "
            "https://github.com/<user>.keys lists them"
        )
    return (
        "is not an age recipient: it must be a public key (age1…, ssh-ed25519 … or ssh-rsa …), "
        "and the comment of an SSH key must not hold a comma"
    )


def _age_fault(recipient: str) -> str | None:
    if " " in recipient:
        return "is not an age recipient: it holds a blank (commas separate recipients)"
    if recipient not in {recipient.lower(), recipient.upper()}:
        return "is not an age recipient: it mixes upper and lower case"
    prefix, _, data = recipient.lower().rpartition("1")
    values = [_BECH32.find(letter) for letter in data]
    whole = -1 not in values and _bech32_checksum(prefix, values) == 1
    if prefix != _AGE:
        name = prefix.removeprefix(_AGE + "1")
        if name in _OTHER_AGE_KINDS or whole:
            kind = _OTHER_AGE_KINDS.get(name, "a recipient of an age plugin (age1<name>1…)")
            return f"is {kind}, which the dumper cannot encrypt to: {_X25519}"
    if len(recipient) != _AGE_LENGTH:
        return (
            f"is not an age recipient: it has {len(recipient)} characters instead of {_AGE_LENGTH}"
        )
    # 52 letters hold 260 bits, of which a key needs 256.
    if prefix != _AGE or not whole or values[-_BECH32_CHECKSUM - 1] & 0b1111:
        return "is not an age recipient: its checksum does not fit, so some character is wrong"
    return None


def _bech32_checksum(prefix: str, values: Sequence[int]) -> int:
    """The checksum of BIP 173, which is 1 where the last six letters fit the rest."""
    expanded = [ord(letter) >> 5 for letter in prefix] + [0]
    expanded += [ord(letter) & 31 for letter in prefix]
    checksum = 1
    for value in (*expanded, *values):
        top = checksum >> 25
        checksum = (checksum & 0x1FFFFFF) << 5 ^ value
        for bit, generator in enumerate(_BECH32_GENERATOR):
            checksum ^= generator if top >> bit & 1 else 0
    return checksum


def _ssh_fault(recipient: str) -> str | None:
    kind, _, rest = recipient.partition(" ")
    body = rest.partition(" ")[0].rstrip("=")
    if not body:
        return f"is not an age recipient: behind {kind} must follow one blank and the key"
    try:
        key = binascii.a2b_base64(body + "=" * (-len(body) % 4), strict_mode=True)
        inner_kind, *numbers = _ssh_fields(key)
    except ValueError:
        return f"is not an age recipient: its {kind} key is cut or has a wrong character"
    if inner_kind != kind.encode():
        return f"is not an age recipient: what follows {kind} is a key of another kind"
    return _rsa_fault(numbers) if kind == _RSA else _ed25519_fault(numbers)


def _ssh_fields(key: bytes) -> Iterator[bytes]:
    """Yield the fields of a public key, each behind its length; ValueError if one is cut."""
    while key:
        end = 4 + int.from_bytes(key[:4], "big")
        if len(key) < max(end, 4):
            raise ValueError("cut")
        yield key[4:end]
        key = key[end:]


def _ed25519_fault(numbers: Sequence[bytes]) -> str | None:
    fault = f"is not an age recipient: its {_ED25519} key has a wrong character"
    if len(numbers) != 1 or len(numbers[0]) != 32:  # noqa: PLR2004  bytes of a point
        return fault
    y = int.from_bytes(numbers[0], "little") % 2**255
    # x² of the curve; half of all numbers are no square, so that half of the typos are found.
    square = (y * y - 1) * pow(_EDWARDS * y * y + 1, -1, _PRIME) % _PRIME
    return None if square == 0 or pow(square, (_PRIME - 1) // 2, _PRIME) == 1 else fault


def _rsa_fault(numbers: Sequence[bytes]) -> str | None:
    fault = f"is not an age recipient: its {_RSA} key has a wrong character"
    if len(numbers) != 2 or not all(map(_is_positive_mpint, numbers)):  # noqa: PLR2004  e and n
        return fault
    exponent, modulus = (int.from_bytes(number, "big") for number in numbers)
    if modulus.bit_length() not in _RSA_BITS:
        return (
            f"is an {_RSA} key of {modulus.bit_length()} bits, but age needs {_RSA_BITS[0]} to "
            f"{_RSA_BITS[-1]}: {_SSH_KINDS}"
        )
    return None if exponent in _RSA_EXPONENTS and exponent % 2 and modulus % 2 else fault


def _is_positive_mpint(number: bytes) -> bool:
    """Whether a number is written as RFC 4251 has it: no sign bit, no needless leading zero."""
    first, second = number[:1], number[1:2]
    return second >= b"\x80" if first == b"\0" else b"\0" < first < b"\x80"
