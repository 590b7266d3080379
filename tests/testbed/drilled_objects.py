"""The objects of a stored backup in the clear, as a drill's client has them and restores them."""

import gzip
import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext

from dumpers.contract.connection import Connection
from dumpers.contract.engine_spec import EngineSpec
from dumpers.contract.fingerprint import Fingerprint
from dumpers.engines.drilling.protocol import DrilledEngine, DrilledObject
from dumpers.engines.protocol import Engine, StoredDump
from dumpers.repository.keys import FINGERPRINT, MANIFEST
from dumpers.repository.record_json import read_record
from dumpers.repository.records import FingerprintRecord, Manifest
from dumpers.runs.drill.patience import wait_for_server
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from tests.testbed.stores.s3 import S3Server
from tests.testbed.throwaway import Throwaway


def drilled_objects(
    s3: S3Server, bucket: str, record: str
) -> tuple[tuple[DrilledObject, ...], Manifest]:
    """Those of the backup whose records lie in this folder, and its manifest."""
    manifest = read_record(s3.read(bucket, f"{record}{MANIFEST}"))
    assert isinstance(manifest, Manifest)
    known: dict[str, Fingerprint] = {}
    if manifest.fingerprint:
        found = read_record(s3.read(bucket, f"{record}{FINGERPRINT}"))
        assert isinstance(found, FingerprintRecord)
        known = {
            item.key: Fingerprint(algorithm=item.algorithm, tables=item.tables, rest=item.rest)
            for item in found.objects
        }
    return tuple(
        DrilledObject(
            stored=StoredDump(
                name=item.name,
                part=item.part,
                ending=item.ending,
                size=item.source_size,
                metadata=item.metadata,
                open=_opener(gzip.decompress(s3.read(bucket, item.key))),
            ),
            fingerprint=known.get(item.key),
            server_version=manifest.server_version,
            tool_version=manifest.tool_version,
        )
        for item in manifest.objects
    ), manifest


def restore_into(
    server: Throwaway, spec: EngineSpec, engine: Engine, objects: Sequence[DrilledObject]
) -> Connection:
    """Restore them into a throwaway server, once it answers; gives what it is reached by."""
    assert spec.drill_server
    assert isinstance(engine, DrilledEngine)
    login = Connection(
        host="127.0.0.1",
        port=server.port,
        username=spec.drill_server.user,
        database=spec.drill_server.database,
    )
    wait_for_server(engine, login, Interrupt(), seconds=60)
    request = engine.prepare_drill(login, objects, Interrupt())
    assert request
    engine.restore(login, [item.stored for item in objects], Interrupt(), request)
    return login


def _opener(data: bytes) -> Callable[[], AbstractContextManager[Reader]]:
    return lambda: nullcontext(io.BytesIO(data))
