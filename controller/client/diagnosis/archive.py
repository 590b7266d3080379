"""Writes a report for a bug: a ZIP of what was read, with every secret taken out of it."""

import json
import os
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from controller.client.diagnosis.parts import Part, Partly
from controller.client.diagnosis.redaction import Redactor, inline_secrets
from controller.client.terminal.errors import CommandError, Exit
from controller.kube.client import KubeError

ABOUT = "report.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """A part of a report that is not there, or not whole, and why."""

    file: str
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was read, as it was read, by the names of files."""

    contents: Mapping[str, Any]
    missing: Sequence[Missing]


def gather(parts: Iterable[Part]) -> Report:
    """Read all parts; one that cannot be read does not keep the others out."""
    contents: dict[str, Any] = {}
    missing: list[Missing] = []
    for part in parts:
        try:
            read = part.read()
        except (KubeError, CommandError) as error:
            missing.append(Missing(file=part.file, why=str(error)))
            continue
        if isinstance(read, Partly):
            missing.append(Missing(file=part.file, why=read.why))
            read = read.value
        contents[part.file] = "\n".join(read) if part.is_log else read
    return Report(contents=contents, missing=missing)


def redacted(report: Report, about: Mapping[str, Any]) -> Mapping[str, str]:
    """The texts of the files, without secrets; `about` says what the report is of."""
    redactor = Redactor(secrets=inline_secrets(report.contents.values()))
    told = {
        **about,
        "missing": [{"file": item.file, "why": item.why} for item in report.missing],
    }
    return {
        ABOUT: _json(redactor.item(told)),
        **{
            file: redactor.log(content)
            if isinstance(content, str)
            else _json(redactor.item(content))
            for file, content in report.contents.items()
        },
    }


def write(target: Path, texts: Mapping[str, str]) -> None:
    """Write the ZIP for its owner's eyes only; CommandError where there is such a file already."""
    try:
        opened = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with (
            os.fdopen(opened, "wb") as file,
            zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive,
        ):
            for name, text in texts.items():
                archive.writestr(name, text.encode("utf-8", "replace"))
    except FileExistsError as error:
        raise CommandError(f"{target} is there already: name another file", Exit.USAGE) from error
    except OSError as error:
        raise CommandError(f"{target}: {error.strerror}", Exit.USAGE) from error


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1, default=str)
