"""Which servers a drill takes for its own."""

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.engine import ENGINE as CLICKHOUSE
from dumpers.engines.drilling.own_server import check_loopback, check_mark
from dumpers.engines.drilling.protocol import DrilledEngine
from dumpers.engines.elasticsearch.engine import ENGINE as ELASTICSEARCH
from dumpers.engines.mysql.engine import ENGINE as MYSQL
from dumpers.engines.postgresql.engine import ENGINE as POSTGRESQL
from dumpers.engines.protocol import Engine
from dumpers.runtime.errors import TargetRefusedError
from dumpers.runtime.interrupt import Interrupt


def at(host: str) -> Connection:
    return Connection(host=host, port=1)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "[::1]", "localhost", "127.9.9.9"])
def test_what_may_be_in_the_pod(host: str) -> None:
    check_loopback(at(host))


@pytest.mark.parametrize("host", ["db.shop.svc", "10.0.0.7", "127.0.0.1.example.org", "0.0.0.0"])
def test_what_is_elsewhere(host: str) -> None:
    with pytest.raises(TargetRefusedError, match=r":1 is no throwaway server.*not at 127\.0\.0\.1"):
        check_loopback(at(host))


def test_a_server_without_the_mark() -> None:
    check_mark(at("::1"), has=True, mark="the macro m")
    with pytest.raises(TargetRefusedError, match="it has not the macro m"):
        check_mark(at("::1"), has=False, mark="the macro m")


@pytest.mark.parametrize("engine", [CLICKHOUSE, ELASTICSEARCH, MYSQL, POSTGRESQL])
def test_no_engine_asks_a_server_elsewhere_anything(engine: Engine) -> None:
    assert isinstance(engine, DrilledEngine)
    with pytest.raises(TargetRefusedError, match="no throwaway server"):
        engine.prepare_drill(at("nowhere.invalid"), [], Interrupt())
