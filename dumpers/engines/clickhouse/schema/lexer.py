"""ClickHouse's SQL as tokens: what is a literal, a quoted name or a comment, and what is not."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum


class TokenKind(StrEnum):
    """The kind of a token; WORD is a keyword, a bare name or a number."""

    SPACE = "space"
    COMMENT = "comment"
    STRING = "string"
    QUOTED = "quoted"
    WORD = "word"
    OTHER = "other"


_KINDS = {kind.value: kind for kind in TokenKind}
# As src/Parsers/Lexer.cpp reads them; a quote that is never closed is a token of its own.
_TOKEN = re.compile(
    r"(?P<space>\s+)"
    r"|(?P<comment>--[^\n]*|\#[ !][^\n]*|/\*.*?\*/)"
    r"|(?P<string>'(?:[^'\\]+|\\.|'')*+'|\$(?P<tag>\w*)\$.*?\$(?P=tag)\$)"
    r'|(?P<quoted>`(?:[^`\\]+|\\.|``)*+`|"(?:[^"\\]+|\\.|"")*+")'
    r"|(?P<word>\w[\w$]*)"
    r"|(?P<other>.)",
    re.DOTALL,
)
_ESCAPES = {
    quote: re.compile(rf"\\x([0-9a-fA-F]{{2}})|\\(.)|({quote}){quote}", re.DOTALL)
    for quote in "'`\""
}
_ESCAPED = {"b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "v": "\v"}


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of a statement; all of them together are the statement."""

    kind: TokenKind
    text: str

    def is_word(self, *words: str) -> bool:
        """Whether the token is one of these keywords, which are given in capitals."""
        return self.kind is TokenKind.WORD and self.text.upper() in words

    @property
    def is_name(self) -> bool:
        """Whether the token can be a name."""
        return self.kind in {TokenKind.WORD, TokenKind.QUOTED}

    @property
    def value(self) -> str:
        """The value of a quoted name or a string, without quotes; any other token's text."""
        if self.kind is TokenKind.QUOTED or self.text.startswith("'"):
            return _ESCAPES[self.text[0]].sub(_unescape, self.text[1:-1])
        return self.text


def tokens(text: str) -> Iterator[Token]:
    """Cut a statement, or a part of one, into its tokens, spaces and comments among them."""
    for match in _TOKEN.finditer(text):
        kind = match.lastgroup
        assert kind is not None
        yield Token(_KINDS[kind], match[0])


def significant(text: str) -> list[Token]:
    """The tokens that a parser would look at."""
    return [
        token for token in tokens(text) if token.kind not in {TokenKind.SPACE, TokenKind.COMMENT}
    ]


def _unescape(match: re.Match[str]) -> str:
    code, letter, quote = match.groups()
    if code:
        return chr(int(code, 16))
    return quote or _ESCAPED.get(letter, letter)
