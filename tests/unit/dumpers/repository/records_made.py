"""Strategies for records, with every member that a record may have."""

from datetime import UTC, datetime

from hypothesis import strategies as st

from dumpers.contract.fingerprint import TableDigest
from dumpers.repository.added_records import (
    Acceptance,
    AskedObject,
    CheckedObject,
    Copied,
    Drill,
    DrilledCheck,
    DrilledTable,
    Pin,
    Restoration,
    ShrunkRecord,
    StoreCheck,
    UnreadRecord,
    Verification,
)
from dumpers.repository.records import (
    BootstrapRecord,
    Encryption,
    FailedRecord,
    FingerprintRecord,
    Manifest,
    NoteRecord,
    ObjectFingerprint,
    ObjectRecord,
    Retention,
    StartedRecord,
)
from dumpers.repository.sharing.shard_record import ShardObject, ShardRecord

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
SIZES = st.integers(min_value=0, max_value=1 << 60)
TIMES = st.datetimes(
    min_value=datetime(1970, 1, 1),  # noqa: DTZ001  the zone is added
    max_value=datetime(2200, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
).map(lambda moment: moment.replace(microsecond=0))
METADATA = st.dictionaries(
    TEXTS, st.none() | st.booleans() | SIZES | TEXTS | st.lists(TEXTS, max_size=3), max_size=3
)
STARTED = st.builds(
    StartedRecord,
    run=TEXTS,
    cluster=TEXTS,
    workload=TEXTS,
    cronjob=TEXTS,
    pod=TEXTS,
    engine=TEXTS,
    bucket=TEXTS,
    started=TIMES,
    deadline_seconds=st.none() | SIZES,
    keys=st.lists(TEXTS, max_size=3).map(tuple),
    storage=TEXTS,
    storages=st.lists(TEXTS, max_size=3).map(tuple),
    is_copy=st.booleans(),
    shards=SIZES,
)
OBJECT_FINGERPRINTS = st.builds(
    ObjectFingerprint,
    key=TEXTS,
    algorithm=TEXTS,
    tables=st.dictionaries(
        TEXTS, st.builds(TableDigest, digest=TEXTS, rows=st.none() | SIZES), max_size=2
    ),
    rest=TEXTS,
)
FINGERPRINTS = st.builds(
    FingerprintRecord,
    run=TEXTS,
    objects=st.lists(OBJECT_FINGERPRINTS, max_size=2).map(tuple),
)
OBJECTS = st.builds(
    ObjectRecord,
    key=TEXTS,
    name=TEXTS,
    part=st.lists(TEXTS, max_size=2).map(tuple),
    ending=TEXTS,
    size=SIZES,
    sha256=TEXTS,
    crc32=TEXTS,
    source_size=SIZES,
    source_sha256=TEXTS,
    checked=st.booleans(),
    metadata=METADATA,
)
NOTES = st.builds(
    NoteRecord,
    code=TEXTS,
    text=TEXTS,
    objects=st.lists(TEXTS, max_size=2).map(tuple),
    accepted=st.booleans(),
)
MANIFESTS = st.builds(
    Manifest,
    begun=STARTED,
    finished=TIMES,
    server_version=TEXTS,
    tool_version=TEXTS,
    compression=TEXTS,
    encryption=st.none()
    | st.builds(Encryption, scheme=TEXTS, recipients=st.lists(TEXTS, max_size=2).map(tuple)),
    objects=st.lists(OBJECTS, max_size=3).map(tuple),
    notes=st.lists(NOTES, max_size=2).map(tuple),
    retention=st.none() | st.builds(Retention, policy=TEXTS, time_zone=TEXTS),
    size_accepted=st.booleans(),
    required_proof=TEXTS,
    fingerprint=TEXTS,
    missing=st.lists(TEXTS, max_size=3).map(tuple),
    options=st.dictionaries(TEXTS, TEXTS, max_size=2),
    metadata=METADATA,
)
FAILURES = st.builds(
    FailedRecord, run=TEXTS, finished=TIMES, exit_code=SIZES, reason=TEXTS, message=TEXTS
)
VERIFICATIONS = st.builds(
    Verification,
    run=TEXTS,
    method=TEXTS,
    finished=TIMES,
    objects=st.lists(
        st.builds(
            CheckedObject, key=TEXTS, size=SIZES, sha256=TEXTS, good=st.booleans(), why=TEXTS
        ),
        max_size=3,
    ).map(tuple),
)
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=2).map(tuple)
RESTORATIONS = st.builds(
    Restoration,
    run=TEXTS,
    started=TIMES,
    finished=TIMES,
    by=TEXTS,
    target=TEXTS,
    mode=TEXTS,
    reason=TEXTS,
    message=TEXTS,
    target_partial=st.booleans(),
    restored=PAIRS,
    kept=PAIRS,
)
PINS = st.builds(Pin, run=TEXTS, pinned=TIMES, by=TEXTS)
BOOTSTRAPS = st.builds(
    BootstrapRecord,
    owner=TEXTS,
    asked=TEXTS,
    source=TEXTS,
    run=TEXTS,
    started=TIMES,
    finished=TIMES,
    done=st.booleans(),
    reason=TEXTS,
    message=TEXTS,
)
ACCEPTANCES = st.builds(Acceptance, run=TEXTS, accepted=TIMES, by=TEXTS)
COPIES = st.builds(Copied, run=TEXTS, copied=TIMES, storage=TEXTS, bucket=TEXTS, by=TEXTS)
CHECKS = st.builds(
    StoreCheck,
    run=TEXTS,
    finished=TIMES,
    objects=st.lists(st.builds(AskedObject, key=TEXTS, size=SIZES, crc32=TEXTS), max_size=3).map(
        tuple
    ),
)
SHRUNK = st.builds(ShrunkRecord, run=TEXTS, found=TIMES)
SECONDS = st.floats(min_value=0, max_value=1e9)
DRILLS = st.builds(
    Drill,
    run=TEXTS,
    started=TIMES,
    finished=TIMES,
    by=TEXTS,
    engine=TEXTS,
    server_version=TEXTS,
    image=TEXTS,
    reason=TEXTS,
    message=TEXTS,
    method=TEXTS,
    tables=st.lists(
        st.builds(DrilledTable, name=TEXTS, rows=st.none() | SIZES, good=st.booleans(), why=TEXTS),
        max_size=3,
    ).map(tuple),
    faults=st.lists(TEXTS, max_size=2).map(tuple),
    unproved=st.lists(TEXTS, max_size=2).map(tuple),
    source_bytes=SIZES,
    age_seconds=SECONDS,
    start_seconds=SECONDS,
    restore_seconds=SECONDS,
    compare_seconds=SECONDS,
    checks=st.lists(
        st.builds(DrilledCheck, number=SIZES, good=st.booleans(), seconds=SECONDS, why=TEXTS),
        max_size=3,
    ).map(tuple),
    check_seconds=SECONDS,
)
UNREAD = st.builds(UnreadRecord, run=TEXTS, finished=TIMES, reason=TEXTS, message=TEXTS)
SHARDS = st.builds(
    ShardRecord,
    run=TEXTS,
    shard=SIZES,
    writer=TEXTS,
    attempt=SIZES,
    updated=TIMES,
    done=st.booleans(),
    keys=st.lists(TEXTS, max_size=2).map(tuple),
    objects=st.lists(
        st.builds(ShardObject, record=OBJECTS, stage=SIZES, identity=TEXTS), max_size=2
    ).map(tuple),
    server_version=TEXTS,
    tool_version=TEXTS,
    notes=st.lists(NOTES, max_size=2).map(tuple),
    holds=st.lists(TEXTS, max_size=2).map(tuple),
    borrows=st.lists(TEXTS, max_size=2).map(tuple),
    places=st.dictionaries(TEXTS, SIZES, max_size=2),
    read=st.lists(
        st.builds(
            CheckedObject, key=TEXTS, size=SIZES, sha256=TEXTS, good=st.booleans(), why=TEXTS
        ),
        max_size=2,
    ).map(tuple),
    metadata=METADATA,
)
