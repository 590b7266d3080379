"""The arithmetic bound of the pipeline: what its stages take alone, each on the very same bytes.

    python -m benchmarks.bound COMPRESSION COMMAND…

The command is a dump tool's, of whose output the beginning is taken. A process of its own, as those
that are begun by one with such a sample would count its memory as theirs. Prints a JSON document.

Source digest + compression + (encryption + digest of the object + its checksum) / ratio, in CPU
seconds: what is left of a pipeline's time above it goes into copies, threads, TLS and the store's
client.
"""

import hashlib
import io
import json
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyrage
import xxhash
from isal import isal_zlib

from dumpers.streams import age
from dumpers.streams.packing import pack
from dumpers.streams.reader import BLOCK_BYTES, IterReader

ROOT = Path(__file__).resolve().parents[1]
# Of the beginning of the dump: all of it would take the machine's memory.
_SAMPLE_BYTES = 256 << 20
_RECIPIENTS = age.parse_recipients([str(pyrage.x25519.Identity.generate().to_public())])


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """Bytes of a dump in blocks as the pipeline reads them, and the same ones compressed."""

    plain: Sequence[bytes]
    packed: Sequence[bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stages:
    """CPU seconds of each stage alone per GB that goes through it.

    `source_digest`, `fingerprint` and `compression` are per GB of plain dump, the others per GB of
    compressed one, and `ratio` is how many times smaller the compressed bytes are. The digest of
    the fingerprint is no part of the bound.
    """

    source_digest: float
    fingerprint: float
    compression: float
    encryption: float
    object_digest: float
    checksum: float
    ratio: float

    def bound(self, source_bytes: int, *, encrypted: bool) -> float:
        """CPU seconds that a dump of this size takes at least."""
        stored = self.object_digest + self.checksum + (self.encryption if encrypted else 0.0)
        return (self.source_digest + self.compression + stored / self.ratio) * source_bytes / 1e9


def ask(command: Sequence[str], env: Mapping[str, str], compression: str) -> Stages:
    """Measure every stage once, in a process of its own."""
    asked = [sys.executable, "-m", "benchmarks.bound", compression, *command]
    done = subprocess.run(asked, env=dict(env), cwd=ROOT, stdout=subprocess.PIPE, check=True)
    return Stages(**json.loads(done.stdout))


def take_sample(command: Sequence[str], compression: str) -> Sample:
    """The beginning of what a dump tool writes."""
    plain: list[bytes] = []
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while (block := process.stdout.read(BLOCK_BYTES)) and len(plain) * BLOCK_BYTES < (
            _SAMPLE_BYTES
        ):
            plain.append(block)
        process.kill()
    packed = pack(IterReader(iter(plain)), compression)
    return Sample(plain=plain, packed=list(iter(lambda: packed.read(BLOCK_BYTES), b"")))


def measure(sample: Sample, compression: str) -> Stages:
    """Measure every stage once."""
    plain, packed = sample.plain, sample.packed
    return Stages(
        source_digest=_digesting(hashlib.sha256(), plain),
        fingerprint=_digesting(xxhash.xxh3_128(), plain),
        compression=_seconds(lambda: _drain(pack(IterReader(iter(plain)), compression)), plain),
        encryption=_seconds(
            lambda: age.encrypt(IterReader(iter(packed)), _Nowhere(), _RECIPIENTS), packed
        ),
        object_digest=_digesting(hashlib.sha256(), packed),
        checksum=_seconds(lambda: _checksum(packed), packed),
        ratio=_size(plain) / _size(packed),
    )


class _Nowhere(io.RawIOBase):
    def write(self, data: Any, /) -> int:
        return len(data)


def _digesting(digest: Any, blocks: Sequence[bytes]) -> float:
    def work() -> None:
        for block in blocks:
            digest.update(block)

    return _seconds(work, blocks)


def _checksum(blocks: Sequence[bytes]) -> None:
    value = 0
    for block in blocks:
        value = isal_zlib.crc32(block, value)


def _drain(reader: Any) -> None:
    while reader.read(BLOCK_BYTES):
        pass


def _seconds(work: Callable[[], None], blocks: Sequence[bytes]) -> float:
    began = time.process_time()
    work()
    return (time.process_time() - began) / _size(blocks) * 1e9


def _size(blocks: Sequence[bytes]) -> int:
    return sum(map(len, blocks))


if __name__ == "__main__":
    _, compressed_by, *tool = sys.argv
    print(json.dumps(asdict(measure(take_sample(tool, compressed_by), compressed_by))))
