"""Whether what a tool wrote is whole, by its first and last bytes; None if nothing is wrong."""

_PLAIN_HEAD = b"--\n-- PostgreSQL database dump\n--\n"
_PLAIN_END = b"-- PostgreSQL database dump complete\n"
_GLOBALS_HEAD = b"--\n-- PostgreSQL database cluster dump\n--\n"
_GLOBALS_END = b"-- PostgreSQL database cluster dump complete\n"
_CUSTOM_HEAD = b"PGDMP"


def prove_plain(head: bytes, tail: bytes) -> str | None:
    """Return what is wrong with a plain dump, by its first and last bytes; None if nothing is."""
    return _prove(head, tail, _PLAIN_HEAD, _PLAIN_END)


def prove_globals(head: bytes, tail: bytes) -> str | None:
    """Return what is wrong with pg_dumpall's roles and tablespaces; None if nothing."""
    return _prove(head, tail, _GLOBALS_HEAD, _GLOBALS_END)


def prove_custom(head: bytes, _tail: bytes) -> str | None:
    """Return what is wrong with a dump in the custom format; None if nothing.

    The format has no end marker: the tool's exit status alone stands for its end.
    """
    return None if head.startswith(_CUSTOM_HEAD) else "it does not start as the custom format does"


def _prove(head: bytes, tail: bytes, start: bytes, end: bytes) -> str | None:
    r"""Current minors put `\unrestrict <token>` behind the end marker."""
    if not head.startswith(start):
        return "it does not start as plain output does"
    if end not in tail:
        return "the end marker is missing"
    rest = tail.rpartition(end)[2].replace(b"--", b"").split()
    if rest and rest[0] != rb"\unrestrict":
        return "something follows the end marker"
    return None
