"""Comments on databases by which a restore knows again what it has made or kept; pure."""

import re

LOADING, RESTORED, REPLACED = "loading", "restored", "replaced"
_MARK = "ksnapshot: "
_TEXTS = {
    LOADING: "a restore is loading this, or was killed while it did",
    RESTORED: "a restore has loaded this, whole",
    REPLACED: "a restore has replaced this, and kept it",
}
_BY = re.compile(r" \(([^()\s]+)\)\Z")


def mark(state: str, comment: str = "", *, by: str = "") -> str:
    """The comment that says so, and by which restore; the comment that was there follows."""
    who = f" ({by})" if by else ""
    return f"{_MARK}{_TEXTS[state]}{who}\n{comment}".rstrip("\n")


def by_of(comment: str) -> str:
    """The restore that has set this mark; empty where the comment does not say."""
    found = _BY.search(comment.partition("\n")[0]) if is_marked(comment) else None
    return found[1] if found else ""


def is_kept(comment: str) -> bool:
    """Whether what has this comment was replaced by a restore."""
    return comment.startswith(_MARK + _TEXTS[REPLACED])


def is_marked(comment: str) -> bool:
    """Whether a restore has made or kept what has this comment."""
    return comment.startswith(_MARK)


def unmarked(comment: str) -> str:
    """The comment that was there before the mark."""
    return comment.partition("\n")[2] if is_marked(comment) else comment


def describe(name: str, comment: str) -> str:
    """What a name that is in the way is, and the cure."""
    if not is_marked(comment):
        return (
            f"there is a database {name!r} already: choose another name, or drop it (if it is "
            "empty, `--forget` does)"
        )
    what = comment.partition("\n")[0].removeprefix(_MARK)
    return (
        f"there is a database {name!r} of an earlier restore ({what}): use it, or `--forget` it "
        "and try again"
    )
