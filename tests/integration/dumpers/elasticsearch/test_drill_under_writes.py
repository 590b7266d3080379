"""Drills of backups that were made while documents were written: no false alarm in any.

`KSNAPSHOT_FAULTS=all` makes seventeen of each of three releases, otherwise one, of a release by
`KSNAPSHOT_FAULT_SEED`.
"""

import contextlib
import os
import random
from collections.abc import Iterator
from functools import partial

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.elasticsearch.throwaway import CLUSTER
from tests.integration.dumpers.elasticsearch.conftest import (
    Servers,
    connection,
    dump,
    job,
    pieces,
)
from tests.integration.dumpers.elasticsearch.test_drill import bad, compared, restored
from tests.integration.dumpers.elasticsearch.worlds import fill
from tests.testbed.databases import search
from tests.testbed.databases.search import SearchServer
from tests.testbed.databases.search_throwaway import start_throwaway
from tests.testbed.repetition import repeated

_NAMES = ("elasticsearch-6", "elasticsearch-7", "opensearch-3")
_TURNS = 17


def cases() -> list[tuple[str, int]]:
    if os.environ.get("KSNAPSHOT_FAULTS") == "all":
        return [(name, turn) for name in _NAMES for turn in range(_TURNS)]
    dice = random.Random(os.environ.get("KSNAPSHOT_FAULT_SEED", "1"))
    return [(dice.choice(_NAMES), 0)]


def write_to(server: SearchServer, turn: int) -> None:
    """Documents are made, changed and removed, some with new fields."""
    kind = ',"_type":"_doc"' if server.name == "elasticsearch-6" else ""

    def lines() -> Iterator[str]:
        for number in range(50):
            key = turn * 50 + number
            yield f'{{"index":{{"_index":"many","_id":"new-{key}"{kind}}}}}\n{{"n":{key}}}\n'
            yield f'{{"index":{{"_index":"many","_id":"{key % 2500}"{kind}}}}}\n{{"n":-{key}}}\n'
            yield f'{{"delete":{{"_index":"many","_id":"{(key * 7) % 2500}"{kind}}}}}\n'
        yield f'{{"index":{{"_index":"grown","_id":"{turn}"{kind}}}}}\n{{"f{turn % 300}":{turn}}}\n'
        yield f'{{"index":{{"_index":"late-{turn % 20}","_id":"1"{kind}}}}}\n{{"n":{turn}}}\n'

    server.ask("POST", "/_bulk", "".join(lines()))


@contextlib.contextmanager
def empty_node(name: str) -> Iterator[Connection]:
    # The script runs in images that have OpenSearch's own programs.
    if name.startswith("opensearch"):
        with search.start(name, settings={"cluster.name": CLUSTER}) as server:
            yield connection(server)
    else:
        with start_throwaway(name) as node:
            yield node.connection


@pytest.mark.parametrize(("name", "_turn"), cases())
def test_a_backup_passes_under_write_load(servers: Servers, name: str, _turn: int) -> None:
    server = servers(name)
    server.clear()
    fill(server)
    with repeated(partial(write_to, server)):
        stored = pieces(dump(job(server, ELASTICDUMP_LIMIT="200"))[1])
    server.clear()
    with empty_node(name) as node:
        restored(node, stored)
        comparison = compared(node, stored)
    assert bad(comparison) == []
    assert comparison.good
    assert {"many", "books", "grown"} <= {table.name for table in comparison.tables}
