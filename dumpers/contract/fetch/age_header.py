"""The header of an age file, which says for whom it is encrypted, and is no secret. Pure.

The syntax is that of age's specification (C2SP age.md).
"""

import re

# The longest that is read: a hundred recipients.
LONGEST = 64 << 10
_VERSION = b"age-encryption.org/v1\n"
# Of 32 bytes in base64.
_END = re.compile(rb"\n--- [A-Za-z0-9+/]{43}\n")
_STANZA = re.compile(rb"^-> (\S+)(?: [^\n]*)?$", re.MULTILINE)
_GREASE = b"-grease"


def cut_header(beginning: bytes) -> bytes | None:
    """The header at the beginning of a file, with its last line end; None where it ends later.

    ValueError where the file is none of age's.
    """
    if not beginning.startswith(_VERSION[: len(beginning)]) or len(beginning) < len(_VERSION):
        raise ValueError("it does not begin as an age file does")
    end = _END.search(beginning)
    if end is None:
        if len(beginning) >= LONGEST:
            raise ValueError("the header of the age file has no end")
        return None
    return beginning[: end.end()]


def stanza_kinds(header: bytes) -> tuple[str, ...]:
    """The kinds of recipients in a header, each once, such as `X25519` or `scrypt`."""
    kinds = [kind for kind in _STANZA.findall(header) if not kind.endswith(_GREASE)]
    return tuple(dict.fromkeys(kind.decode(errors="replace") for kind in kinds))
