"""Dumps of a database by several streams: what they are made of, and what they stored."""

import gzip
import json
from collections.abc import Mapping
from dataclasses import replace

from dumpers.engines.protocol import StoredDump
from tests.integration.dumpers.postgresql.worlds import manifest, piece
from tests.testbed.dumper import Ended
from tests.testbed.stores.s3 import S3Server

# Tables of each kind become so large that they are read by COPY, some of them in pieces.
FILL = r"""
INSERT INTO app.people (name, size, pair, moods)
  SELECT E'Zoë \\ \t ' || g || repeat('.', 150), g % 99, ROW(g, 'b')::lib.pair,
    ARRAY['sad'::lib.mood, NULL]
  FROM generate_series(1, 20000) g;
INSERT INTO app.visits SELECT NULL, date '2019-01-01' + g % 300 FROM generate_series(1, 60000) g;
INSERT INTO app.visits SELECT NULL, date '2022-01-01' + g % 300 FROM generate_series(1, 60000) g;
INSERT INTO app.base SELECT generate_series(100, 50000);
INSERT INTO app.derived SELECT g, g FROM generate_series(100, 50000) g;
INSERT INTO app.cache SELECT generate_series(1, 50000);
INSERT INTO app.twice SELECT generate_series(3, 50000);
INSERT INTO "Odd ""one"".x"."Tab'le; --" SELECT g, decode(md5(g::text), 'hex')
  FROM generate_series(1, 30000) g;
CREATE TABLE app.":a 'b'
 `c` \d; %s" AS SELECT generate_series(1, 50000) AS ":x 'y' \\ \n", NULL::text AS "\.";
ANALYZE;
"""
# Rows of these go to another partition wherever the numbers of the enumeration's values differ.
LEVELS = """
CREATE TYPE app.level AS ENUM ('low', 'high');
CREATE TABLE app.levels (l app.level, i int) PARTITION BY HASH (l);
CREATE TABLE app.levels_0 PARTITION OF app.levels FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE app.levels_1 PARTITION OF app.levels FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO app.levels SELECT 'low', generate_series(1, 60000);
INSERT INTO app.levels SELECT 'high', generate_series(1, 60000);
ANALYZE;
"""


def parts(s3: S3Server, bucket: str, ended: Ended) -> list[StoredDump]:
    """The objects of a good run, as a restore has them, in the order of its manifest."""
    return [
        _piece(item, gzip.decompress(s3.read(bucket, item["key"])))
        for item in manifest(s3, bucket, ended)["objects"]
    ]


def rows_in_pieces(s3: S3Server, bucket: str, ended: Ended) -> Mapping[str, list[int]]:
    """How many rows of each table are in each of the objects that hold any of it."""
    key = f"{ended.result.record}fingerprint.json"
    found: dict[str, list[int]] = {}
    for item in json.loads(s3.read(bucket, key))["objects"]:
        for name, table in item["tables"].items():
            found.setdefault(name, []).append(table["rows"])
    return found


def _piece(item: Mapping[str, object], data: bytes) -> StoredDump:
    metadata = item.get("metadata") or {}
    assert isinstance(metadata, dict)
    made = piece(data, str(item["ending"]), name=str(item["name"]), metadata=metadata)
    return replace(made, part=tuple(item.get("part") or ()))  # type: ignore[arg-type]
