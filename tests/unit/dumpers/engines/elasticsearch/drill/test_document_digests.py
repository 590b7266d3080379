"""Digests of documents in any order."""

import pytest

from dumpers.engines.elasticsearch.drill.document_digests import Digest, DocumentDigests

LINES = (
    b'{"_index":"a","_id":"1","_score":1,"_source":{"n":1}}',
    b'{"_index":"a","_id":"2","_score":1,"_routing":"r","_source":{"n":2}}',
    b'{"_index":"b","_id":"1","_score":1,"_source":{"n":1}}',
)


def digests(*lines: bytes) -> dict[str, Digest]:
    found = DocumentDigests(name_of=lambda name: name)
    found.add(lines)
    return found.found


def test_the_order_does_not_matter() -> None:
    found = digests(*LINES)
    assert {name: digest.count for name, digest in found.items()} == {"a": 2, "b": 1}
    assert digests(*reversed(LINES)) == found
    assert digests(*LINES, b"") == found


def test_neither_score_nor_version_is_of_the_document() -> None:
    line = b'{"_index":"a","_id":"1","_score":null,"_version":7,"_source":{"n":1}}'
    assert digests(line) == digests(LINES[0])


@pytest.mark.parametrize(
    "other",
    [
        b'{"_index":"a","_id":"1","_score":1,"_source":{"n":2}}',
        b'{"_index":"a","_id":"3","_score":1,"_source":{"n":1}}',
        b'{"_index":"a","_id":"1","_score":1,"_routing":"1","_source":{"n":1}}',
        # As it was sent, not as it means.
        b'{"_index":"a","_id":"1","_score":1,"_source":{"n":1.0}}',
    ],
)
def test_what_differs(other: bytes) -> None:
    assert digests(other)["a"] != digests(LINES[0])["a"]


def test_a_document_counts_as_often_as_it_is_there() -> None:
    assert digests(LINES[0], LINES[0])["a"].total != 0
    assert digests(LINES[0], LINES[0])["a"] != digests(LINES[0])["a"]


def test_names_are_those_of_data_streams() -> None:
    found = DocumentDigests(name_of={"a": "stream", "b": "stream"}.__getitem__)
    found.add(LINES)
    assert {name: digest.count for name, digest in found.found.items()} == {"stream": 3}


def test_half_a_letter_is_a_difference() -> None:
    line = b'{"_index":"a","_id":"1","_score":1,"_source":{"s":"\\ud800"}}'
    other = line.replace(b"ud800", b"ud801")
    assert digests(line)["a"].count == 1
    assert digests(line) != digests(other)


def test_what_is_no_document() -> None:
    with pytest.raises(ValueError, match="no document"):
        digests(b'{"_index":')
