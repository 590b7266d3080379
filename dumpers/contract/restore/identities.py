"""The text of an identity file, with the private keys that open a backup; checked, never shown.

Pure, and without the age library, so that the user's command can refuse a file before it makes a
Secret of it.
"""

import binascii
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from dumpers.contract.recipients import join_faults

_AGE, _PLUGIN, _POST_QUANTUM = "AGE-SECRET-KEY-1", "AGE-PLUGIN-", "AGE-SECRET-KEY-PQ-1"
_PROTECTED = ("age-encryption.org/", "-----BEGIN AGE ENCRYPTED FILE-----")
_BEGIN = re.compile(r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----")
_END = re.compile(r"-----END [A-Z0-9 ]*PRIVATE KEY-----")
_PUBLIC = ("age1", "ssh-ed25519 ", "ssh-rsa ", "ecdsa-")
# How an OpenSSH key begins: its magic, then the name of its cipher behind the name's length.
_OPENSSH_PLAIN = b"openssh-key-v1\0\0\0\0\x04none"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityText:
    """One private key; `place` is where it begins, such as `line 3`."""

    text: str = field(repr=False)
    place: str
    is_ssh: bool


def parse_identities(text: str) -> tuple[IdentityText, ...]:
    """Cut an identity file apart; ValueError names every fault by its line, and shows none.

    Keys of age are one to a line, SSH keys blocks of lines; empty lines and lines with a # do not
    count.
    """
    if text.lstrip().startswith(_PROTECTED):
        raise ValueError(
            "the identity file is protected by a passphrase, which nobody could type in a job: "
            "give the key itself, as `age -d` prints it"
        )
    found: list[IdentityText] = []
    faults: list[str] = []
    for start, lines in _pieces(text.removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}").splitlines()):
        place = f"line {start}"
        is_ssh = _BEGIN.fullmatch(lines[0]) is not None
        fault = _ssh_fault(lines) if is_ssh else _line_fault(lines[0])
        if fault:
            faults.append(f"{place} of the identity file {fault}")
        else:
            body = "\n".join(lines) + "\n" if is_ssh else lines[0]
            found.append(IdentityText(text=body, place=place, is_ssh=is_ssh))
    if faults:
        raise ValueError(join_faults(faults))
    if not found:
        raise ValueError(
            "the identity file holds no key: it must hold a private key of age "
            "(AGE-SECRET-KEY-1…) or of SSH"
        )
    return tuple(found)


def _pieces(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each key with its first line's number: one line, or the lines of an SSH key."""
    block: list[str] = []
    start = 0
    for number, line in enumerate(map(str.strip, lines), 1):
        if block:
            block.append(line)
            if _END.fullmatch(line):
                yield start, block
                block = []
        elif _BEGIN.fullmatch(line):
            start, block = number, [line]
        elif line and not line.startswith("#"):
            yield number, [line]
    if block:
        yield start, block


def _line_fault(line: str) -> str | None:
    upper = line.upper()
    if upper.startswith(_POST_QUANTUM):
        return "is a post-quantum key of age, which this version cannot use"
    if upper.startswith(_PLUGIN):
        return "is a key of an age plugin, which this version cannot use: it needs the key itself"
    if upper.startswith(_AGE):
        return None
    if line.startswith(_PUBLIC):
        return "is a public key, and only the private key that belongs to it opens a backup"
    return (
        "is no key: it must be a private key of age (AGE-SECRET-KEY-1…), or the beginning of one "
        "of SSH (-----BEGIN OPENSSH PRIVATE KEY-----)"
    )


def _ssh_fault(lines: Sequence[str]) -> str | None:
    protected = (
        "begins an SSH key that is protected by a passphrase, which nobody could type in a job: "
        "take it off a copy of the key with `ssh-keygen -p -N '' -f COPY`"
    )
    if not _END.fullmatch(lines[-1]):
        return "begins an SSH key whose last line is missing"
    kind = _BEGIN.fullmatch(lines[0])
    if kind and kind[1] == "ENCRYPTED ":
        return protected
    if any(line.startswith("Proc-Type:") and "ENCRYPTED" in line for line in lines):
        return protected
    if kind and kind[1] == "OPENSSH ":
        try:
            key = binascii.a2b_base64("".join(lines[1:-1]), strict_mode=True)
        except ValueError:
            return "begins an SSH key that is cut or has a wrong character"
        if not key.startswith(_OPENSSH_PLAIN):
            return protected if key.startswith(_OPENSSH_PLAIN[:15]) else "begins no SSH key"
    return None
