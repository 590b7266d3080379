"""The commands of docs/disaster.md, as they stand there."""

import re
from collections.abc import Mapping, Sequence

from tests.paths import REPOSITORY

_BLOCK = re.compile(r"^\*\*(?P<step>\d)\. .*?(?=^\*\*\d\. |\Z)", re.MULTILINE | re.DOTALL)
_CONSOLE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INLINE = re.compile(r"`(ksnapshot [^`]+)`")


def steps() -> Mapping[int, Sequence[str]]:
    """The commands of each step, in order: those of its blocks, else those within its text."""
    text = (REPOSITORY / "docs/disaster.md").read_text()
    return {int(found["step"]): commands_of(found[0]) for found in _BLOCK.finditer(text)}


def commands_of(text: str) -> list[str]:
    """The commands of a page's blocks, in order; without any block, those within its text."""
    lines = [line for block in _CONSOLE.findall(text) for line in block.splitlines()]
    if not lines:
        return _INLINE.findall(text)
    commands: list[str] = []
    for line in lines:
        if line.startswith("$ "):
            commands.append(line.removeprefix("$ "))
        elif line.startswith("> "):
            commands[-1] += "\n" + line.removeprefix("> ")
        elif commands and commands[-1].endswith("\\"):
            commands[-1] += "\n" + line
    return commands
