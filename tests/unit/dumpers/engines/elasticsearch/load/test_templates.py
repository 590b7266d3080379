from collections.abc import Sequence

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.elasticsearch.elasticdump_lines import IndexAnswer
from dumpers.engines.elasticsearch.load.checks import check_templates
from dumpers.engines.elasticsearch.load.contents import Item
from dumpers.engines.elasticsearch.load.templates import Template, applying, are_asked
from dumpers.runtime.errors import TargetRefusedError


def template(
    name: str,
    *patterns: str,
    order: int = 0,
    composable: bool = True,
    makes_streams: bool = False,
    aliases: Sequence[str] = (),
) -> Template:
    return Template(
        name=name,
        patterns=patterns,
        order=order,
        composable=composable,
        makes_streams=makes_streams,
        aliases=tuple(aliases),
    )


def item(live: str, own: str, *, was_stream: bool = False, stream: bool = False) -> Item:
    return Item(
        name=live,
        parts=(live,),
        answer=IndexAnswer(),
        live=live,
        own=own,
        was_stream=was_stream,
        stream=stream,
    )


KNOWN = (
    template("low", "logs-*", order=1),
    template("high", "x", "logs-a*", order=5),
    template("old", "*", composable=False),
    template("older", "other*", composable=False),
)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("logs-b", ["low"]),
        ("logs-a", ["high"]),
        ("other-1", ["old", "older"]),
        ("nothing", ["old"]),
    ],
)
def test_the_templates_that_a_server_applies(name: str, names: Sequence[str]) -> None:
    assert [each.name for each in applying(KNOWN, name)] == names


def test_templates_that_would_reach_for_copies() -> None:
    beside = item("books", "books_restored")
    with pytest.raises(TargetRefusedError, match="reaching would put books_restored behind 'all'"):
        check_templates([beside], [template("reaching", "books*", aliases=("all",))])
    streams = template("streams", "books*", makes_streams=True)
    with pytest.raises(TargetRefusedError, match="streams makes data streams"):
        check_templates([beside], [streams])
    check_templates([item("books", "books_restored", was_stream=True, stream=True)], [streams])
    # What gets its own name gets its own templates, too.
    check_templates([item("books", "books")], [template("own", "books*", aliases=("all",))])


@pytest.mark.parametrize(
    ("request_", "stream", "asked"),
    [
        (RestoreRequest(), False, True),
        (RestoreRequest(tables=("a",)), False, False),
        (RestoreRequest(tables=("a",)), True, True),
        (RestoreRequest(tables=("a",), globals=True), False, True),
        (RestoreRequest(mode=RestoreMode.BESIDE), True, False),
        (RestoreRequest(mode=RestoreMode.BESIDE, globals=True), False, True),
        (RestoreRequest(mode=RestoreMode.OVERWRITE), False, True),
    ],
)
def test_what_is_of_the_whole_cluster_comes_where_it_is_needed(
    request_: RestoreRequest, *, stream: bool, asked: bool
) -> None:
    assert are_asked(request_, [item("a", "a", was_stream=stream)]) is asked
