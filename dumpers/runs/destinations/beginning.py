"""What is done at each store before the first byte of a dump."""

from dumpers.repository.record_json import write_record
from dumpers.repository.removal.sweep import sweep
from dumpers.runs.destinations.destination import Destination
from dumpers.runs.verify.read_back import prove_right
from dumpers.storage.open_uploads import probe
from dumpers.storage.run_storage import RunStorage


def begin(destination: Destination, storage: RunStorage, *, reads_back: bool) -> None:
    """Write the started record, prove bucket, keys and rights, and sweep what crashed runs left.

    Raises what a store raises that is away for longer than the patience, or not good for a dump;
    `reads_back` asks for the right to read, too.
    """
    run, record = destination.run, destination.record
    body = write_record(record)
    storage.put_once(run.started_key, body)
    destination.is_begun = True
    probe(storage, record.keys[0])
    if reads_back:
        prove_right(storage, run.started_key, body)
    sweep(storage, run, record)
