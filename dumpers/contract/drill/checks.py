"""The checks of a user's own that a drill makes, as annotation and variable hold them; pure.

Lines decide and nothing else, so that nobody has to guess how quotes are read: a line that begins
with `--` is left out, and a line that ends in `;` ends a statement, within quotes as well. What is
cut so is no whole statement, which no server takes: a check may fail for that, and never pass.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

LONGEST, MOST = 8192, 32

_COMMENT = "--"
_DATABASE = re.compile(r"--\s*database:\s*(\S.*)")
_CONTROL = re.compile(r"[\0-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One statement, without its `;`, by its `number` from 1 on.

    `database` is the one that a line `-- database: NAME` before it names, empty without one.
    """

    number: int
    sql: str
    database: str = ""


def parse_checks(text: str) -> tuple[Check, ...]:
    """The statements of a text, at least one; ValueError says what is wrong, and shows none of it.

    `-- database: NAME` holds for all statements behind it, up to the next such line.
    """
    if len(text.encode("utf-8", "surrogatepass")) > LONGEST:
        raise ValueError(f"must have at most {LONGEST} bytes")
    lines = text.replace("\r\n", "\n")
    if _CONTROL.search(lines):
        raise ValueError("must hold no control characters but line ends and tabs")
    found = tuple(_statements(lines))
    if not found:
        raise ValueError("must hold a statement that gives true, such as `SELECT count(*) > 0 …`")
    if len(found) > MOST:
        raise ValueError(f"must hold at most {MOST} statements, and holds {len(found)}")
    return found


def _statements(text: str) -> Iterator[Check]:
    number, database = 1, ""
    held: list[str] = []
    for line in (*text.split("\n"), None):
        if line is not None:
            if line.lstrip().startswith(_COMMENT):
                if named := _DATABASE.fullmatch(line.strip()):
                    if "".join(held).strip():
                        raise ValueError(f"names a database within statement {number}")
                    database = named[1]
                continue
            held.append(line)
            if not line.rstrip().endswith(";"):
                continue
        sql = "\n".join(held).strip()
        is_ended = sql.endswith(";")
        sql = sql.removesuffix(";").strip()
        if sql:
            yield Check(number=number, sql=sql, database=database)
        elif is_ended:
            raise ValueError(f"has no statement before the `;` of statement {number}")
        number, held = number + 1, []
