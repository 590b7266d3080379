"""A dump of a generated stream: the whole pipeline, with a tool that needs no database.

`python -m tests.integration.dumpers.generated` is a dumper like any other but for its engine: it
reads the job's environment, `GENERATED_MIB` for the size of the dump, and `GENERATED_NOISE_MIB` for
how much of it does not compress at all (half, if not given).
"""

import os
from contextlib import AbstractContextManager, nullcontext

from dumpers.cli import dump, main
from dumpers.contract.connection import DumpSource
from dumpers.contract.engine_spec import EngineSpec
from dumpers.engines.protocol import Dump, DumpEngine, SourceInfo
from dumpers.engines.simple_stream import SimpleStream
from dumpers.runtime.errors import KsnapshotError, SourceFailedError
from dumpers.runtime.interrupt import Interrupt
from dumpers.streams.reader import Reader
from dumpers.streams.tools.tool import Command, ToolReader

SIZE, NOISE = "GENERATED_MIB", "GENERATED_NOISE_MIB"
HEAD, END = b"-- head\n", b"-- end\n"


class Generated:
    """`size` MiB, `noise` of them random; with the head and the end that a whole dump has."""

    def __init__(self, size: int, noise: int | None = None) -> None:
        self.size = size
        self.noise = size // 2 if noise is None else noise

    def open(self, job: DumpSource, interrupt: Interrupt) -> AbstractContextManager[Dump]:
        info = SourceInfo(server_version="1", tool_version="1", estimate=self.size << 20)
        how = "bs=1M iflag=fullblock status=none"
        noise = f"dd if=/dev/urandom count={self.noise} {how}"
        nothing = f"dd if=/dev/zero count={self.size - self.noise} {how}"
        script = f"echo '-- head' && {noise} && {nothing} && echo '-- end'"
        command = Command(argv=["sh", "-c", script], env={}, failure=_failure)

        def opener(interrupt: Interrupt) -> AbstractContextManager[Reader]:
            return ToolReader(command, proof=_prove, interrupt=interrupt)

        stream = SimpleStream(
            name="generated", ending=".sql", estimate=info.estimate, opener=opener
        )
        return nullcontext(Dump(info=info, streams=[stream]))


def _failure(status: int, said: str) -> KsnapshotError:
    return SourceFailedError(f"the generator ended with {status}: {said}")


def _prove(head: bytes, tail: bytes) -> str | None:
    return None if head.startswith(HEAD) and tail.endswith(END) else "head or end is missing"


def _load(spec: EngineSpec) -> DumpEngine:
    noise = os.environ.get(NOISE)
    return Generated(int(os.environ[SIZE]), int(noise) if noise else None)


if __name__ == "__main__":
    dump.load = _load  # type: ignore[assignment, attr-defined]  # the one thing that is not as in an image
    main.main(prog_name="generated")
