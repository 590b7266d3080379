from datetime import UTC, datetime
from typing import Any

import pytest

from controller.cli.backup_verbs.backups import proof_of, why_of
from controller.client.catalogue.listing import CATALOGUE, why_not_whole
from controller.client.retention.told import parse_document

RUN = {"catalogue": "run"}


def end(runs: int, records: str = "r/") -> dict[str, Any]:
    return {"catalogue": "end", "records": records, "runs": runs, "next": ""}


@pytest.mark.parametrize(
    ("documents", "listed", "is_page", "why"),
    [
        ([RUN, RUN, end(2)], 2, True, ""),
        ([end(0)], 0, True, ""),
        ([RUN, end(1), end(0, "s/"), RUN, RUN, end(2, "t/")], 3, True, ""),
        # A cluster without any CronJob has neither.
        ([], 0, True, ""),
        ([RUN], 1, False, ""),
        # The log was cut.
        ([], 1, True, "1 backups were listed, and 0 arrived"),
        ([RUN], 2, True, "2 backups were listed, and 1 arrived"),
        ([RUN, RUN], 2, True, "the end behind the last 2 backups is missing"),
        ([RUN, end(1), RUN], 2, True, "the end behind the last 1 backups is missing"),
        ([RUN, end(2), RUN], 2, True, "of r/ 1 of 2 arrived"),
        ([], 1, False, "1 backups were listed, and 0 arrived"),
        # It came twice.
        ([RUN, RUN, end(1)], 1, True, "1 backups were listed, and 2 arrived"),
        ([RUN, end(1)], None, True, "the Job did not say"),
    ],
)
def test_a_list_is_whole_or_an_error(
    documents: list[dict[str, Any]], listed: int | None, why: str, *, is_page: bool
) -> None:
    found = why_not_whole(documents, listed, is_page=is_page)
    assert (why in found) if why else not found


@pytest.mark.parametrize("text", ["", "x", "{", '{"a": 1}', '{"catalogue": 1}', "[1]"])
def test_other_lines_are_no_documents(text: str) -> None:
    assert parse_document(text, CATALOGUE) is None


_READ = {"when": "2026-01-10T05:00:00Z", "good": True}
_TRIED = {"when": "2026-01-10T07:00:00Z", "good": True}


@pytest.mark.parametrize(
    ("proof", "drill", "shown"),
    [
        (None, None, ""),
        (_READ, None, "verified 7 h ago"),
        (_READ, _TRIED, "drilled 5 h ago"),
        (None, _TRIED | {"good": False}, "DIFFERS 5 h ago"),
        # Whatever is newer: a restore of it may go wrong.
        (_READ, _TRIED | {"good": False}, "DIFFERS 5 h ago"),
        (_READ | {"good": False}, _TRIED, "DAMAGED 7 h ago"),
    ],
)
def test_the_strongest_proof_is_shown_unless_something_speaks_against_it(
    proof: Any, drill: Any, shown: str
) -> None:
    now = datetime(2026, 1, 10, 12, tzinfo=UTC)
    assert proof_of({"proof": proof, "drill": drill}, now) == shown
    # Of a dumper that knows no drills.
    assert drill or proof_of({"proof": proof}, now) == shown


@pytest.mark.parametrize(
    ("run", "shown"),
    [
        # Of a dumper that knows one storage.
        ({}, ""),
        ({"why": "", "missing": []}, ""),
        ({"why": "", "missing": ["off-site", "third"]}, "missing in off-site, third"),
        ({"why": "SourceFailed: x", "missing": []}, "SourceFailed: x"),
    ],
)
def test_storages_that_missed_a_backup_are_shown(run: dict[str, Any], shown: str) -> None:
    assert why_of(run) == shown
