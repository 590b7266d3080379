"""Hides secrets in texts that are shown, and not the words around them.

A secret that could pass for an ordinary word, such as `p`, `postgres` or `20261128`, is hidden only
where a secret stands: replacing the word wherever it stands would spoil the message, and tell from
the gaps what the secret is. Any other secret is hidden everywhere, in every spelling.
"""

import base64
import json
import re
from collections.abc import Collection, Iterator, Sequence
from urllib.parse import quote, quote_plus

MASK = "***"
# Where a tool or a server cut what it said, a piece of a secret may be left.
CUT = "…"

_LEAST_LENGTH = 8
# A piece that is shorter says too little to be worth a gap in the text.
_LEAST_PIECE = 4
_VALUE = r"(?:'(?:[^'\\]|\\.|'')*(?:'|$)|\"(?:[^\"\\]|\\.)*(?:\"|$)|[^\s'\",;)&]+)"
_KEY = r"\b\w*(?:passw(?:or)?d|passphrase|pwd|secret|api[_-]?key|access[_-]?key|token)"
# What stands here is a secret, whoever's it is: an assignment, a member of JSON, SQL that sets a
# password, the password in a URL, an HTTP login.
_PLACES = (
    re.compile(rf"(?P<before>{_KEY}[\"']?\s*=\s*)(?P<value>{_VALUE})", re.IGNORECASE),
    re.compile(
        rf"(?P<before>{_KEY}\\?[\"']\s*:\s*)(?P<value>\\?\"(?:[^\"\\]|\\.)*(?:\"|$))",
        re.IGNORECASE,
    ),
    re.compile(
        r"(?P<before>\b(?:password|identified\s+(?:with\s+\S+\s+)?(?:by|as)(?:\s+password)?)\s+)"
        r"(?P<value>'(?:[^'\\\n]|\\.|'')*(?:'|$))",
        re.IGNORECASE | re.MULTILINE,
    ),
    re.compile(r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s:/@]*:)(?P<value>[^\s/]+)(?=@)"),
    re.compile(
        r"(?P<before>\b(?:Basic|Bearer|ApiKey) )(?=[^\s'\"]*(?:[0-9=]|[a-z][A-Z]))"
        r"(?P<value>[A-Za-z0-9+/_=.-]{8,})"
    ),
)
# Ordinary words, and those joined as names are: db-primary, row_level.
_WORD = re.compile(r"[^\W\d_]+(?:[-_. ][^\W\d_]+)*")


def mask(text: str, secrets: Sequence[str], *, known: Collection[str] = ()) -> str:
    """Hide the secrets in a text, and whatever stands where secrets do.

    `known` are names that the text may show, such as those of user, database and host: a secret
    that is a part of one counts as an ordinary word. Of a secret that was cut off, at the end of a
    line or before or behind CUT, the piece is hidden, too, unless it could be a word.
    """
    if not text:
        return text
    for place in _PLACES:
        text = place.sub(rf"\g<before>{MASK}", text)
    plain = {one for secret in secrets for one in (secret, secret.strip()) if one}
    for secret in sorted(plain, key=len, reverse=True):
        if _could_be_a_word(secret, known):
            text = _hide_argument(text, secret)
        else:
            text = _hide_everywhere(text, secret)
    return text


def _could_be_a_word(secret: str, known: Collection[str]) -> bool:
    if len(secret) < _LEAST_LENGTH or _is_wordlike(secret):
        return True
    return any(secret in name for name in known)


def _is_wordlike(text: str) -> bool:
    return text.isdecimal() or _WORD.fullmatch(text) is not None


def _hide_argument(text: str, secret: str) -> str:
    """Hide a secret where it is a literal among others, as in `remote('db:9000', 'app', 'p')`."""
    literals = "|".join(sorted({re.escape(form) for form in _in_quotes(secret)}))
    return re.sub(rf"([(,]\s*)(?:{literals})(?=\s*[,)])", rf"\1'{MASK}'", text)


def _hide_everywhere(text: str, secret: str) -> str:
    for form in sorted(_spellings(secret), key=len, reverse=True):
        text = text.replace(form, MASK)
    for length in range(len(secret) - 1, _LEAST_PIECE - 1, -1):
        head, tail = secret[:length], secret[-length:]
        # Compiling a pattern for each length would take longer than all else here.
        if head in text and not _is_wordlike(head):
            cut = rf"{re.escape(head)}(?=\s*(?:{CUT}|\.\.\.|$))"
            text = re.sub(cut, MASK, text, flags=re.MULTILINE)
        if tail in text and not _is_wordlike(tail):
            text = re.sub(rf"({CUT}\s*){re.escape(tail)}", rf"\1{MASK}", text)
    return text


def _spellings(secret: str) -> Iterator[str]:
    """A secret as it is, and as SQL, JSON, Python, a URL and an encoding in base64 write it."""
    yield secret
    yield from (form[1:-1] for form in _in_quotes(secret))
    yield repr(secret)[1:-1]
    yield json.dumps(secret)[1:-1]
    yield quote(secret, safe="")
    yield quote(secret)
    yield quote_plus(secret)
    yield base64.b64encode(secret.encode("utf-8", "surrogateescape")).decode().rstrip("=")


def _in_quotes(secret: str) -> Iterator[str]:
    escaped = secret.replace("\\", "\\\\")
    yield f"'{secret}'"
    yield f'"{secret}"'
    yield "'" + secret.replace("'", "''") + "'"
    yield "'" + escaped.replace("'", "\\'") + "'"
    yield "'" + escaped.replace("'", "''") + "'"
