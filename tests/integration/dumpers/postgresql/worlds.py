"""What the tests of PostgreSQL share: a rich database, and how a dump is looked at and loaded."""

import gzip
import io
import json
import re
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.engines.postgresql.options import PLAIN_ENDING
from dumpers.engines.protocol import StoredDump
from dumpers.runtime.errors import ExitCode
from dumpers.streams.reader import Reader
from tests.testbed.databases import postgres as postgres_testbed
from tests.testbed.databases.postgres import PostgresServer
from tests.testbed.dumper import Dumper, Ended
from tests.testbed.stores.s3 import S3Server

LOGIN = "Quokka7"
# How docs/restore.md calls psql.
STRICT = ("--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1")
RICH = """
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE SCHEMA "Odd ""schema"" $1";
CREATE SEQUENCE counter START 41; SELECT nextval('counter');
CREATE TABLE people (
  id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL, mood mood DEFAULT 'glad',
  born timestamptz DEFAULT '-infinity', picture bytea, tags text[], extra jsonb,
  twice int GENERATED ALWAYS AS (length(name) * 2) STORED);
INSERT INTO people (name, picture, tags, extra)
  SELECT E'Zoë 🐘 \\\\ \\t ' || g, decode(md5(g::text), 'hex'), ARRAY['a,b', NULL, '"'],
         jsonb_build_object('n', g)
  FROM generate_series(1, 300) g;
CREATE TABLE "Odd ""schema"" $1"."Tab'le, x" (a int, "select" text);
INSERT INTO "Odd ""schema"" $1"."Tab'le, x" VALUES (1, NULL), (2, '');
CREATE TABLE parted (k int, v text) PARTITION BY RANGE (k);
CREATE TABLE parted_low PARTITION OF parted FOR VALUES FROM (0) TO (100);
INSERT INTO parted SELECT g, 'x' FROM generate_series(1, 50) g;
CREATE FUNCTION shout(t text) RETURNS text LANGUAGE sql AS $f$ SELECT upper(t) || '$;' $f$;
CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NEW; END $f$;
CREATE TRIGGER touched BEFORE UPDATE ON people FOR EACH ROW EXECUTE FUNCTION touch();
CREATE MATERIALIZED VIEW loud AS SELECT shout(name) AS name FROM people;
SELECT lo_from_bytea(4711, 'large object'::bytea);
"""
FINGERPRINT = """
SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM people t UNION ALL
SELECT md5(string_agg(t::text, ',' ORDER BY a)) FROM "Odd ""schema"" $1"."Tab'le, x" t UNION ALL
SELECT md5(string_agg(t::text, ',' ORDER BY k)) FROM parted t UNION ALL
SELECT md5(string_agg(name, ',' ORDER BY name)) FROM loud UNION ALL
SELECT last_value::text FROM counter UNION ALL
SELECT convert_from(lo_get(4711), 'UTF8') UNION ALL
SELECT md5(string_agg(prosrc, ',' ORDER BY proname)) FROM pg_proc WHERE proname IN ('shout','touch')
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """A note of a manifest."""

    text: str
    objects: Sequence[str]
    accepted: bool


def manifest(s3: S3Server, bucket: str, ended: Ended) -> Mapping[str, Any]:
    """The manifest of a good run."""
    assert ended.exit_code == ExitCode.DONE, ended.log
    found: Mapping[str, Any] = json.loads(s3.read(bucket, f"{ended.result.record}manifest.json"))
    return found


def notes(s3: S3Server, bucket: str, ended: Ended) -> Mapping[str, Found]:
    """The notes of a good run by their code; those of one code are one, with all their objects."""
    found = manifest(s3, bucket, ended)["notes"]
    merged: dict[str, Found] = {}
    for note in found:
        code = note["code"]
        before = merged.get(code, Found(text="", objects=[], accepted=True))
        merged[code] = Found(
            text=before.text + note["text"],
            objects=[*before.objects, *note["objects"]],
            accepted=before.accepted and note["accepted"],
        )
    return merged


def load(server: PostgresServer, sql: bytes, database: str, *, major: int = 18) -> None:
    """Load a dump as docs/restore.md has it; RuntimeError with psql's words."""
    psql = str(postgres_testbed.bin_folder(major) / "psql")
    server.run(psql, *STRICT, database=database, stdin=as_one(sql))


def as_one(sql: bytes) -> str:
    """The script as docs/restore.md gives it to psql: one transaction, committed at its end."""
    return f"BEGIN;\n{sql.decode()}COMMIT;\n"


def with_clients(dumper: Dumper, *majors: int) -> str:
    """PATH for a dumper that has the clients of these major versions."""
    folders = [str(postgres_testbed.bin_folder(major)) for major in majors]
    return ":".join((*folders, dumper.env["PATH"]))


def stored(s3: S3Server, bucket: str, ended: Ended) -> dict[str, bytes]:
    """What a good run has stored, unpacked, by the ending of its key."""
    assert ended.exit_code == ExitCode.DONE, ended.log
    return {
        re.split(r"-\d{14}\.", key)[-1]: gzip.decompress(s3.read(bucket, key))
        for key in ended.result.keys
    }


def connection(server: PostgresServer, database: str, **changes: str) -> Connection:
    given: dict[str, Any] = {
        "username": server.user,
        "password": server.password,
        "database": database,
    } | changes
    return Connection(host=server.host, port=server.port, **given)


def piece(
    data: bytes,
    ending: str = PLAIN_ENDING,
    name: str = "shop",
    metadata: Mapping[str, object] | None = None,
) -> StoredDump:
    def open_() -> AbstractContextManager[Reader]:
        return nullcontext(io.BytesIO(data))

    return StoredDump(name=name, ending=ending, size=len(data), metadata=metadata or {}, open=open_)


def lead_to(dumper: Dumper, server: PostgresServer) -> None:
    dumper.env |= {"POSTGRESQL_PORT": str(server.port), "POSTGRESQL_PASSWORD": server.password}
