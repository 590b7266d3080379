"""Rows as the data of a ConfigMap: JSON for programs, a summary for people, both bounded.

One line of JSON for each workload, which `kubectl get configmap -o yaml` shows line by line. Where
there is no room for everything, messages are cut first, then restore points, then the last rows.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from controller.model.objects import Json
from controller.report.proof_rows import DRILL, VERIFICATION, proof_lines
from controller.report.status_board import RESTORE_POINTS
from controller.report.status_subjects import Rows
from controller.report.written_status import PRUNE, VERSION, WORKLOADS
from controller.runs.history import FAILED

SUMMARY = "summary.txt"
# The API server takes a MiB of data, and its store little more with everything around it.
MAX_BYTES = 900 * 1024
_HEAD_BYTES = 8192
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cut:
    """How much of a row is kept: characters of its messages, None for all, and restore points."""

    message: int | None
    points: int

    def __str__(self) -> str:
        """Say for people what is missing."""
        if self.message is None:
            return ""
        return "messages" if self.points == RESTORE_POINTS else "messages, restore points"


_CUTS = (
    _Cut(message=None, points=RESTORE_POINTS),
    _Cut(message=200, points=RESTORE_POINTS),
    _Cut(message=80, points=RESTORE_POINTS),
    _Cut(message=80, points=3),
    _Cut(message=0, points=0),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Texts:
    """As many rows as there is room for, as text; `omitted` counts the others."""

    lines: tuple[str, ...]
    paragraphs: tuple[str, ...]
    omitted: int
    cut: _Cut


def status_data(rows: Rows, written: str, prune: Json | None = None) -> Mapping[str, str]:
    """Write the status ConfigMap's data; `written` is the moment of its last change.

    `prune` is how the last prune ended, None where none is known.
    """
    texts = _fitting([rows[key] for key in sorted(rows)], has_summary=False)
    head = {"version": VERSION, "written": written, **({PRUNE: prune} if prune else {})}
    return {WORKLOADS: _document(head, texts)}


def board_data(namespace: str, rows: Rows, written: str) -> Mapping[str, str]:
    """Write the data of a namespace's board."""
    texts = _fitting([rows[key] for key in sorted(rows)], has_summary=True)
    head = {"version": VERSION, "written": written, "namespace": namespace, "cut": str(texts.cut)}
    title = f"ksnapshot: the backups of namespace {namespace}, as of {written}"
    missing = []
    if texts.omitted:
        missing.append(f"{texts.omitted} more are left out, as there is no room for them")
    if cut := str(texts.cut):
        missing.append(f"shortened for want of room: {cut}")
    nothing = [] if rows else ["no workload here asks for backups"]
    parts = ["\n".join([title, *nothing, *missing]), *texts.paragraphs]
    return {WORKLOADS: _document(head, texts), SUMMARY: "\n\n".join(parts) + "\n"}


def _fitting(rows: list[Json], *, has_summary: bool) -> _Texts:
    """Write the rows as fully as there is room for."""
    room = MAX_BYTES - _HEAD_BYTES
    for cut in _CUTS:
        shown = [_shortened(row, cut) for row in rows]
        lines = [_json(row) for row in shown]
        paragraphs = [_paragraph(row) for row in shown] if has_summary else [""] * len(rows)
        sizes = [_size(line) + _size(text) for line, text in zip(lines, paragraphs, strict=True)]
        if sum(sizes) <= room:
            break
    count = _count_fitting(sizes, room)
    return _Texts(
        lines=tuple(lines[:count]),
        paragraphs=tuple(paragraphs[:count]),
        omitted=len(rows) - count,
        cut=cut,
    )


def _count_fitting(sizes: Iterable[int], room: int) -> int:
    count = 0
    for size in sizes:
        room -= size
        if room < 0:
            break
        count += 1
    return count


def _shortened(row: Json, cut: _Cut) -> Json:
    if cut.message is None:
        return row
    shown = {**row, "message": _cut_text(row["message"], cut.message)}
    if result := row.get("last_result"):
        shown["last_result"] = {**result, "message": _cut_text(result["message"], cut.message)}
    for name in (VERIFICATION, DRILL):
        if found := row.get(name):
            shown[name] = {**found, "message": _cut_text(found["message"], cut.message)}
    if "restore_points" in row:
        shown["restore_points"] = row["restore_points"][: cut.points]
    return shown


def _cut_text(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[:longest] + "…"


def _document(head: Mapping[str, Any], texts: _Texts) -> str:
    start = _json(head).removesuffix("}")
    rows = "".join(f"\n{line}," for line in texts.lines).removesuffix(",")
    return f'{start},"workloads":[{rows}\n],"omitted":{texts.omitted}}}'


def _json(value: Json) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    # Half a surrogate pair has no UTF-8 form.
    return text.encode("utf-8", "replace").decode()


def _size(text: str) -> int:
    """Bytes of a text and of the two line ends or commas around it."""
    return len(text.encode()) + 2


def _paragraph(row: Json) -> str:
    """Describe a workload of a board for people."""
    lines = [" ".join(filter(None, (row["workload"], row["kind"], row["type"])))]
    lines.append(f"  {row['state']}, {row['reason']} since {row['since']}")
    if row["message"]:
        lines.append(f"  {row['message']}")
    if found := row.get("class"):
        lines.append(f"  class: {found}")
    if row["schedule"]:
        following = f", next run {row['next']}" if row["next"] else ""
        lines.append(f"  schedule: {row['schedule']} {row['time_zone']}{following}")
    if result := row["last_result"]:
        lines.append(f"  last run: {_described(result)}")
        lines.append(f"  last success: {row['last_success'] or 'none yet'}")
    if found := row.get("restorable"):
        since = f"from {found['oldest']} to " if found["oldest"] else "up to "
        count = f" ({found['backups']} backups)" if found["backups"] else ""
        lines.append(f"  restorable: {since}{found['newest']}{count}, as of {found['as_of']}")
    lines += proof_lines(row)
    for point in row["restore_points"]:
        notes = f", notes: {', '.join(point['notes'])}" if point["notes"] else ""
        named = f", {point['backup']}" if point.get("backup") else ""
        size = in_units(point["bytes"])
        lines.append(f"  restore point: {point['finished']}{named}, {size}{notes}")
    return "\n".join(map(_printable, lines))


def _described(result: Json) -> str:
    text = f"{result['outcome']} {result['finished']}"
    why = f": {result['message']}" if result["message"] else ""
    if result["outcome"] == FAILED:
        return f"{text}, {result['reason']}{why}"
    return f"{text}, {in_units(result['bytes'])} in {result['seconds']:g} s{why}"


def in_units(size: float) -> str:
    """Write a number of bytes for people."""
    for unit in _UNITS[:-1]:
        if size < _STEP:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= _STEP
    return f"{size:.1f} {_UNITS[-1]}"


def _printable(line: str) -> str:
    """Replace what a terminal would act on, and half surrogate pairs."""
    safe = "".join(char if char.isprintable() else " " for char in line)
    return safe.encode("utf-8", "replace").decode()
