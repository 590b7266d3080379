"""Makes the table of values in the chart's README from the comments of values.yaml.

`python -m release.values_table` writes it between its two marks; what stands around them is kept.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from controller.settings.settings import SETTINGS

_CHART = Path(__file__).resolve().parent.parent / "charts" / "ksnapshot"
README, VALUES = _CHART / "README.md", _CHART / "values.yaml"
BEGIN, END = "<!-- values: made by `make values-table` -->\n", "<!-- end of values -->\n"
_HEAD = "| value | default | controller's variable | what it does |\n|---|---|---|---|\n"
_KEY = re.compile(r"( *)([A-Za-z][A-Za-z0-9_]*):( .*|)")
_COMMENT = re.compile(r" *# ?(.*)")
# An example in a comment is indented; the table leaves it to values.yaml.
_EXAMPLE = re.compile(r"  +\S.*|")
_PAGE = re.compile(r"\bdocs/([\w./-]*\w)")
# A longer default is left to values.yaml.
_LONGEST = 60
_VARIABLES: Mapping[str, str] = {item.chart: item.env for item in SETTINGS if item.chart}


@dataclass(frozen=True, slots=True, kw_only=True)
class Commented:
    """A key of values.yaml by its dotted path, with the text of the comment above it."""

    path: str
    comment: str


def commented_keys(text: str) -> Iterator[Commented]:
    """Every key of the mapping in its order; the comment is empty where none stands above it."""
    parents: list[tuple[int, str]] = []
    comment: list[str] = []
    for line in text.splitlines():
        if found := _COMMENT.fullmatch(line):
            comment.append(found[1])
            continue
        if key := _KEY.fullmatch(line):
            indent = len(key[1])
            parents = [(column, name) for column, name in parents if column < indent]
            parents.append((indent, key[2]))
            path = ".".join(name for _, name in parents)
            yield Commented(path=path, comment=_without_example(comment))
        comment = []


def make_table(text: str) -> str:
    """The table for the text of values.yaml: a row for each value, and for each commented group."""
    values = yaml.safe_load(text)
    rows = [_HEAD]
    for key in commented_keys(text):
        value = _at(values, key.path)
        is_group = isinstance(value, dict) and bool(value)
        variable = f"`{_VARIABLES[key.path]}`" if key.path in _VARIABLES else ""
        if is_group and not (key.comment or variable):
            continue
        default = "" if is_group else _shown(value)
        name = f"`{key.path}.*`" if is_group else f"`{key.path}`"
        rows.append(f"| {name} | {default} | {variable} | {_markdown(key.comment)} |\n")
    return "".join(rows)


def with_table(page: str, table: str) -> str:
    """The page with this table between its marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _without_example(lines: list[str]) -> str:
    kept = " ".join(line for line in lines if not _EXAMPLE.fullmatch(line)).strip()
    return re.sub(r":$", ".", kept)


def _at(values: Any, path: str) -> Any:
    for name in path.split("."):
        values = values[name]
    return values


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) and value else json.dumps(value)
    return f"`{text}`" if len(text) <= _LONGEST else "see values.yaml"


def _markdown(comment: str) -> str:
    """The comment as a cell: its pages are links, and nothing in it is taken for markup."""
    parts = comment.replace("|", r"\|").split("`")
    for at in range(0, len(parts), 2):
        plain = re.sub(r"([*<])", r"\\\1", parts[at])
        parts[at] = _PAGE.sub(r"[docs/\1](../../docs/\1)", plain)
    return "`".join(parts)


def main() -> None:
    """Write the table into the chart's README."""
    README.write_text(with_table(README.read_text(), make_table(VALUES.read_text())))


if __name__ == "__main__":
    main()
