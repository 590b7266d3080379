"""Backups made up: scripts and tables, without a server."""

import io
from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

from dumpers.engines.protocol import StoredDump


def script(text: str, kind: str = "schema", labels: Sequence[str] = ("s1r1",)) -> StoredDump:
    return StoredDump(
        name="main",
        part=(kind,),
        ending=".sql",
        size=len(text),
        metadata={"script": kind, "replicas": [*labels], "release": "24.8.3.1"},
        open=lambda: nullcontext(io.BytesIO(text.encode())),
    )


def rows(database: str, table: str, size: int = 10, count: int = 1, **more: Any) -> StoredDump:
    said = {"database": database, "table": table, "rows": count, "columns": ["a"]}
    return StoredDump(
        name="main",
        part=("s1", database, table),
        ending=".native",
        size=size,
        metadata={"shard": 1, "tables": [said], **more},
        open=lambda: nullcontext(io.BytesIO(bytes(size))),
    )


SCHEMA = """
CREATE DATABASE shop ENGINE = Atomic;
CREATE DATABASE nothing ENGINE = Atomic;
CREATE FUNCTION f AS x -> x;
CREATE TABLE shop.orders (a UInt8) ENGINE = Log;
CREATE TABLE shop.`o.dd` (a UInt8) ENGINE = Log;
CREATE TABLE web.hits (a UInt8) ENGINE = Log;
CREATE TABLE web.queue (a UInt8) ENGINE = Kafka;
"""
VIEWS = """
CREATE MATERIALIZED VIEW shop.sums (a UInt8) ENGINE = Log AS SELECT a FROM shop.orders;
CREATE MATERIALIZED VIEW web.to_orders TO shop.orders AS SELECT a FROM web.hits;
CREATE MATERIALIZED VIEW web.clock REFRESH EVERY 1 HOUR TO web.hits AS SELECT 1 AS a;
CREATE VIEW web.plain AS SELECT a FROM shop.orders;
"""
BACKUP = (
    script(SCHEMA),
    rows("shop", "orders", 100),
    rows("shop", "o.dd", 20),
    rows("web", "hits", 3),
    rows("web", "hits", 3, redundant=True),
    script(VIEWS, "views-with-rows-1"),
    rows("shop", "sums", 4),
)
