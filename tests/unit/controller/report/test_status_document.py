"""Documents stay below what the API server takes, and say what they leave out."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from controller.report.status_document import MAX_BYTES, board_data, status_data
from controller.report.status_subjects import RowKey, Rows
from controller.report.written_status import rows_in, written_in

WRITTEN = "2026-01-01T00:00:00Z"
RUN = {"finished": WRITTEN, "bytes": 3 * 1024**3, "notes": ["standby", "globals"]}
RESULT = RUN | {"outcome": "failed", "reason": "SourceFailed", "message": "m" * 50, "seconds": 9.5}


def status_row(number: int, message: str = "") -> dict[str, Any]:
    return {
        "workload": f"demo/db-{number:05}",
        "kind": "StatefulSet",
        "type": "postgresql",
        "cronjob": f"ksnapshot-postgresql-demo-db-{number:05}-c11184c0",
        "state": "unknown",
        "reason": "ServiceMissing",
        "message": message,
        "since": WRITTEN,
    }


def board_row(number: int, message: str = "") -> dict[str, Any]:
    return status_row(number, message) | {
        "schedule": "0 3 * * *",
        "time_zone": "Etc/UTC",
        "next": WRITTEN,
        "last_success": WRITTEN,
        "last_result": RESULT,
        "restore_points": [RUN] * 10,
        "restorable": {"oldest": WRITTEN, "newest": WRITTEN, "backups": 7, "as_of": WRITTEN},
        "last_proof": {"when": WRITTEN, "good": True, "backup": "3f9c0a51b2d4"},
    }


def keyed(*rows: Mapping[str, Any]) -> Rows:
    # The other way round: the document sorts them.
    found: dict[RowKey, Mapping[str, Any]] = {
        (row["workload"], row["kind"], row["cronjob"]): row for row in reversed(rows)
    }
    return found


def size(data: Mapping[str, str]) -> int:
    return sum(len(key) + len(text.encode()) for key, text in data.items())


def parsed(data: Mapping[str, str]) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(data["workloads.json"])
    return document


def test_a_small_document_holds_everything_a_line_for_each_workload() -> None:
    rows = [status_row(1, "no Service"), status_row(2)]
    data = status_data(keyed(*rows), WRITTEN)
    assert parsed(data) == {"version": 1, "written": WRITTEN, "workloads": rows, "omitted": 0}
    assert [json.loads(line.rstrip(",")) for line in data["workloads.json"].splitlines()[1:-1]] == [
        *rows
    ]


def test_a_board_of_an_older_controller_is_read() -> None:
    row = board_row(1)
    del row["restorable"], row["last_proof"]
    data = board_data("demo", keyed(row), WRITTEN)
    assert rows_in(data, is_board=True) == keyed(row)


@pytest.mark.parametrize("rows", [(), (board_row(1, "ü"), board_row(2))])
def test_what_was_written_is_read_again(rows: tuple[dict[str, Any], ...]) -> None:
    data = board_data("demo", keyed(*rows), WRITTEN)
    assert rows_in(data, is_board=True) == keyed(*rows)
    assert written_in(data, is_board=True) == WRITTEN
    assert list(rows_in(status_data(keyed(*rows), WRITTEN), is_board=False)) == sorted(keyed(*rows))


@pytest.mark.parametrize(
    ("count", "message", "kept", "omitted"),
    [
        (2000, "m" * 200, "m" * 200, 0),
        (2000, "ü" * 400, "ü" * 80 + "…", 0),
        (3500, "m" * 3000, "…", 0),
        (9000, "m" * 200, "…", None),
    ],
)
def test_messages_of_the_status_are_cut_before_rows(
    count: int, message: str, kept: str, omitted: int | None
) -> None:
    data = status_data(keyed(*(status_row(number, message) for number in range(count))), WRITTEN)
    assert size(data) < MAX_BYTES
    document = parsed(data)
    shown = document["workloads"]
    assert {row["message"] for row in shown} == {kept}
    assert len(shown) + document["omitted"] == count
    assert [row["workload"] for row in shown] == [f"demo/db-{n:05}" for n in range(len(shown))]
    if omitted is None:
        assert document["omitted"] > 0
        assert size(data) > 0.95 * MAX_BYTES
    else:
        assert document["omitted"] == omitted


def test_a_row_without_a_message_gets_none_by_being_cut() -> None:
    rows = keyed(*(status_row(number, "m" * 3000 * (number % 2)) for number in range(4000)))
    assert {row["message"] for row in parsed(status_data(rows, WRITTEN))["workloads"]} == {"", "…"}


@pytest.mark.parametrize(
    ("count", "message", "points", "cut"),
    [
        (200, "", 10, ""),
        (300, "m" * 1500, 10, "messages"),
        (450, "m" * 100, 3, "messages, restore points"),
        (900, "m" * 100, 0, "messages, restore points"),
        (4000, "m" * 100, 0, "messages, restore points"),
    ],
)
def test_a_board_says_what_is_cut(count: int, message: str, points: int, cut: str) -> None:
    rows = keyed(*(board_row(number, message) for number in range(count)))
    data = board_data("demo", rows, WRITTEN)
    assert size(data) < MAX_BYTES
    document = parsed(data)
    assert (document["cut"], document["namespace"]) == (cut, "demo")
    assert {len(row["restore_points"]) for row in document["workloads"]} == {points}
    assert len(document["workloads"]) + document["omitted"] == count
    head = data["summary.txt"].partition("\n\n")[0]
    assert ("shortened" in head) == bool(cut)
    assert (f"{document['omitted']} more are left out" in head) == (document["omitted"] > 0)
    assert data["summary.txt"].count("demo/db-") == len(document["workloads"])


def test_hostile_texts_break_neither_lines_nor_encoding() -> None:
    row = board_row(1, "a\nb\x1b[31m\ud800\u2028")
    data = board_data("demo", keyed(row), WRITTEN)
    assert all(text.encode() for text in data.values())
    assert "  a b [31m  \n" in data["summary.txt"]
    assert "\x1b" not in "".join(data.values())


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1536, "1.5 KiB"),
        (3 * 1024**3, "3.0 GiB"),
        (1024**6, "1024.0 PiB"),
    ],
)
def test_sizes_are_for_people(count: int, text: str) -> None:
    row = board_row(1) | {"restore_points": [RUN | {"bytes": count}]}
    assert (
        f", {text}, notes: standby, globals"
        in board_data("demo", keyed(row), WRITTEN)["summary.txt"]
    )
