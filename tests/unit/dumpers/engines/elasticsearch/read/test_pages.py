"""Documents are cut out of a page as they are, or the page is no page."""

import json
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dumpers.engines.elasticsearch.read.page_size import LARGEST, TARGET, PageSize
from dumpers.engines.elasticsearch.read.pages import BrokenPageError, Page, cut, without_comments

GOOD = {"total": 2, "successful": 2, "skipped": 0, "failed": 0}


def page(hits: Sequence[bytes], *, shards: object = GOOD, more: bytes = b"") -> bytes:
    head = b'{"took":1,"timed_out":false,"_shards":' + json.dumps(shards).encode()
    return head + more + b',"hits":{"max_score":null,"hits":[' + b",".join(hits) + b"]}}"


def hit(source: bytes, *, sort: bytes = b',"sort":[7]') -> bytes:
    return b'{"_index":"i","_id":"1","_score":null,"_source":' + source + sort + b"}"


def lines(found: Page) -> bytes:
    return b"".join(bytes(block) for block in found.blocks)


@pytest.mark.parametrize(
    "source",
    [
        b"{}",
        b'   {"a":1}   ',
        b'{"a":1.0,"b":1e400,"c":9223372036854775808,"d":-0.0,"z":1,"a2":00.1}'.replace(
            b"00.1", b"0.1"
        ),
        b'{"a":1,"a":2}',
        b'{"a":"\\u0041\\/\\ud800"}',
        '{"a":"é 🐘"}'.encode(),
        b'{"a":",\\"sort\\":[1]}","sort":[1],"b":{"x":1,"sort":[2]}}',
        b'{"a":{"b":[{"hits":{"hits":[]}}]},"sort":[3]}',
    ],
)
@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("kind", [bytes, bytearray])
def test_a_document_stays_byte_for_byte(
    source: bytes, count: int, kind: type[bytes] | type[bytearray]
) -> None:
    found = cut(kind(page([hit(source)] * count)))
    assert lines(found) == (hit(source, sort=b"") + b"\n") * count
    assert (found.count, found.after, found.commented) == (count, b"[7]", False)


_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


@settings(max_examples=40)
@given(
    documents=st.lists(st.dictionaries(st.text(), _JSON), min_size=1, max_size=4),
    indent=st.sampled_from([None, 0, 2]),
    ascii_=st.booleans(),
)
def test_any_documents(
    *, documents: list[dict[str, object]], indent: int | None, ascii_: bool
) -> None:
    sources = [
        json.dumps(item, indent=indent, ensure_ascii=ascii_).encode("utf-8", "replace")
        for item in documents
    ]
    found = lines(cut(page([hit(source) for source in sources])))
    assert found.count(b"\n") == len(documents)
    kept = [line.partition(b'"_source":')[2][:-1] for line in found.splitlines()]
    assert [json.loads(item) for item in kept] == [json.loads(source) for source in sources]
    if indent is None:
        assert kept == sources


def test_line_ends_between_tokens_become_blanks() -> None:
    found = cut(page([hit(b'{\r\n "a" : "\\n\\r" ,\n"b":1}')]))
    assert lines(found) == hit(b'{   "a" : "\\n\\r" , "b":1}', sort=b"") + b"\n"


def test_comments_are_left_out_and_told() -> None:
    found = cut(page([hit(b'{"a":1, // one "\n "b": "// no", /* x " */ "c":"/*"}'), hit(b"{}")]))
    first, second = lines(found).splitlines()
    assert json.loads(first)["_source"] == {"a": 1, "b": "// no", "c": "/*"}
    assert second == hit(b"{}", sort=b"")
    assert found.commented


@given(st.text())
def test_a_string_is_never_taken_for_a_comment(text: str) -> None:
    written = json.dumps({text: text}).encode()
    assert without_comments(written) == written


def test_a_page_of_a_scroll_and_the_end() -> None:
    body = page([hit(b"{}")], more=b',"_scroll_id":"abc"')
    assert cut(body).scroll == "abc"
    assert cut(page([], more=b',"pit_id":"p"')) == Page(blocks=(), count=0, point="p")
    unsorted = cut(page([hit(b"{}", sort=b"")] * 2))
    assert lines(unsorted) == (hit(b"{}", sort=b"") + b"\n") * 2


@pytest.mark.parametrize(
    ("before", "kept"), [(0, 0), (3, 0), (4, 1), (5, 1), (6, 2), (8, 3), (9, 3)]
)
def test_a_page_is_cut_before_a_number(before: int, kept: int) -> None:
    hits = [hit(b'{"n":%d}' % n, sort=b',"sort":[%d]' % n) for n in (3, 5, 7)]
    found = cut(page(hits), before=before)
    whole = cut(page(hits[:kept]))
    assert (found.count, found.after, lines(found)) == (kept, whole.after, lines(whole))


def test_totals_of_every_release() -> None:
    body = page([])
    for total, expected in ((b"5", 5), (b'{"value":5,"relation":"eq"}', 5)):
        assert cut(body.replace(b'"max_score"', b'"total":' + total + b',"m"')).total == expected
    with pytest.raises(BrokenPageError, match="not exact"):
        cut(body.replace(b'"max_score"', b'"total":{"value":5,"relation":"gte"},"m"'))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (page([]).replace(b"false", b"true"), "timed out"),
        (page([], shards={**GOOD, "successful": 1}), "1 of 2 shards"),
        (
            page([], shards={**GOOD, "failed": 1, "failures": [{"reason": "disk"}]}),
            "disk",
        ),
        (b"", "no page"),
        (b"{}", "no page"),
        (b"<html>", "<html>"),
        (b'{"error":"x"}', "no page"),
        (b"\xff", "no page"),
    ],
)
def test_what_is_no_whole_page(body: bytes, words: str) -> None:
    with pytest.raises(BrokenPageError, match=words):
        cut(body)


def test_a_page_cut_at_any_place_is_none() -> None:
    body = page([hit(b'{"a":1}'), hit(b'{"b":"}]}"}')])
    for end in range(len(body)):
        with pytest.raises(BrokenPageError):
            cut(body[:end])


def test_pages_grow_to_their_bytes_and_no_further() -> None:
    size = PageSize.begin(1000)
    for _ in range(10):
        size.came(size.size, size.size * 10)
    assert size.size == 1000
    size.came(1000, 1000 * TARGET // 10)
    assert size.size == 10


def test_large_documents_come_alone() -> None:
    size = PageSize.begin(1000, average=200)
    assert size.size == 1000
    asked = 0
    while size.too_large():
        asked += 1
    assert (size.size, asked) == (1, 5)
    assert not size.too_large()
    size.came(1, 2 * LARGEST)
    assert size.size == 1


def test_a_busy_server_is_asked_for_less() -> None:
    size = PageSize.begin(8)
    sizes = []
    for _ in range(5):
        size.refused()
        sizes.append(size.size)
    assert sizes == [4, 2, 1, 1, 1]


@given(
    most=st.integers(1, 10_000),
    average=st.integers(0, 1 << 40),
    came=st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 1 << 40))),
)
def test_a_page_has_one_to_most_documents(
    most: int, average: int, came: list[tuple[int, int]]
) -> None:
    size = PageSize.begin(most, average=average)
    for count, length in came:
        size.came(count, length)
        assert 1 <= size.size <= most
