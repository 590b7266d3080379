from typing import Any

import pytest

from controller.cli.backup_verbs.backups import parse_document, why_not_whole

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
    assert parse_document(text) is None
