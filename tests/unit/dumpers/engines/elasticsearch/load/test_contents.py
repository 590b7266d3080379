import io
import json
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from dumpers.contract.restore.request import RestoreMode, RestoreRequest
from dumpers.engines.elasticsearch.load.contents import choose, read_contents
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import TargetRefusedError


def piece(name: str, content: object, **metadata: Any) -> StoredDump:
    text = json.dumps(content).encode()
    return StoredDump(
        name=name,
        ending=".jsonl",
        size=len(text),
        metadata=metadata,
        open=lambda: nullcontext(io.BytesIO(text)),
    )


def index(**settings: Any) -> Mapping[str, Any]:
    return {"settings": {"index": settings}, "mappings": {}, "aliases": {}}


CONTENTS = read_contents(
    [
        piece(
            "index",
            {
                "books": index(),
                "shut": index(),
                ".own": index(hidden="true"),
                ".ds-flow-2026.01.01-000001": index(hidden="true", n="1"),
                ".ds-flow-2026.01.01-000002": index(hidden="true", n="2"),
            },
            closed=["shut"],
            server="OpenSearch 3.1.0",
        ),
        piece(
            "data_stream",
            {
                "data_streams": [
                    {
                        "name": "flow",
                        "indices": [
                            {"index_name": ".ds-flow-2026.01.01-000001"},
                            {"index_name": ".ds-flow-2026.01.01-000002"},
                        ],
                    }
                ]
            },
        ),
        piece("data", {}, documents={"books": 3}),
    ]
)
ALL = RestoreRequest()
BESIDE = replace(ALL, mode=RestoreMode.BESIDE)


def own(request: RestoreRequest) -> dict[str, str]:
    return {item.name: item.own for item in choose(CONTENTS, request)}


def test_everything_under_its_own_name() -> None:
    items = {item.name: item for item in choose(CONTENTS, ALL)}
    assert own(ALL) == {name: name for name in ("books", "shut", ".own", "flow")}
    assert items["shut"].closed
    assert items["flow"].was_stream
    assert len(items["flow"].parts) == 2
    # Of a data stream, the newest index.
    assert items["flow"].answer.settings["index"]["n"] == "2"
    assert CONTENTS.server == "OpenSearch 3.1.0"
    assert CONTENTS.documents == {"books": 3}


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({"tables": ("b*",)}, {"books": "books"}),
        ({"tables": ("-b*", "-flow")}, {"shut": "shut"}),
        ({"tables": ("flow", ".own")}, {"flow": "flow", ".own": ".own"}),
        ({"tables": ("books",), "names": {"books": "b"}}, {"books": "b"}),
        ({"tables": ("books",), "mode": RestoreMode.BESIDE}, {"books": "books_restored"}),
        (
            {"tables": ("books",), "mode": RestoreMode.BESIDE, "names": {"books": "b"}},
            {"books": "b"},
        ),
        (
            {"tables": ("books",), "mode": RestoreMode.SWAP, "names": {"books": "b"}},
            {"books": "b_restored"},
        ),
        (
            {"tables": ("flow",), "mode": RestoreMode.OVERWRITE, "suffix": "-x"},
            {"flow": "flow-x"},
        ),
    ],
)
def test_parts_and_names(changes: Mapping[str, Any], names: Mapping[str, str]) -> None:
    assert own(replace(ALL, **changes)) == names


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"tables": ("books", "gone*")}, r"has not these indices.*: 'gone\*'$"),
        ({"databases": ("x",)}, "neither databases nor partitions"),
        ({"partitions": "x.y: 1"}, "neither databases nor partitions"),
        ({"names": {"gone": "x"}}, "'gone'"),
        ({"tables": ("shut",), "names": {"books": "x"}}, "'books'"),
    ],
)
def test_what_cannot_be_is_refused(changes: Mapping[str, Any], says: str) -> None:
    with pytest.raises(TargetRefusedError, match=says):
        choose(CONTENTS, replace(ALL, **changes))


def test_a_part_that_is_not_as_dumps_are() -> None:
    with pytest.raises(TargetRefusedError, match="the part alias is not as dumps are"):
        read_contents([piece("alias", [])])
