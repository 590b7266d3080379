"""Gates: conditions of a dump tool's SELECT that wait in the server until we let them go on.

A tool that has come to its gate has begun its transaction, which the server's own list of sessions
shows to its account. It waits there without a row under way, so that no timeout of the network
counts. A gate hides no row, whatever becomes of its lock: it is true with any answer.
"""

# ruff: noqa: S608  names of our own

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field

from dumpers.streams.reader import BLOCK_BYTES, BufferedReader, Reader

# Who is gone has let go of all locks, and nobody waits for longer than a run may take.
_WAIT_SECONDS = 2_592_000
_WAITING = "User lock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gates:
    """The gates of one snapshot, by their numbers; names are this run's alone."""

    count: int
    token: str = field(default_factory=lambda: secrets.token_hex(8))

    def close(self) -> list[str]:
        """The statements by which a session closes all gates, each answering 1."""
        return [f"SELECT GET_LOCK('{self._name(number)}', 0)" for number in range(self.count)]

    def open(self, number: int) -> str:
        """The statement by which the same session opens one."""
        return f"SELECT RELEASE_LOCK('{self._name(number)}')"

    def is_closed(self, number: int) -> str:
        """The query whether the same session still has a gate closed, which answers 1 then."""
        return f"SELECT IS_USED_LOCK('{self._name(number)}') = CONNECTION_ID()"

    def condition(self, number: int) -> str:
        """The condition that is true once the gate was open; asked once in a session."""
        lock = f"GET_LOCK('{self._name(number)}', {_WAIT_SECONDS})"
        return f"(COALESCE(@ksnapshot_gate, @ksnapshot_gate := {lock}, 2) >= 0)"

    def waiting(self) -> str:
        """The query of the statements that wait at a gate."""
        return (
            "SELECT info FROM information_schema.processlist WHERE id <> CONNECTION_ID() "
            f"AND state = '{_WAITING}' AND info LIKE '%{self.token}%'"
        )

    def numbers_in(self, statement: str) -> set[int]:
        """Which gates a statement names."""
        return {int(number) for number in re.findall(rf"{self.token}-(\d+)'", statement)}

    def _name(self, number: int) -> str:
        return f"ksnapshot-{self.token}-{number}"


class WithoutComment(BufferedReader):
    """A dump without the tool's comments of this condition, which differs from run to run."""

    def __init__(self, source: Reader, condition: str) -> None:
        super().__init__()
        self._source = source
        self._line = f"\n-- WHERE:  {condition}\n".encode()
        self._held = b""

    def next_block(self) -> bytes:
        """Return the next block; the last bytes may be the beginning of such a line."""
        while block := self._source.read(BLOCK_BYTES):
            data = (self._held + block).replace(self._line, b"\n")
            sure = len(data) - _overlap(data, self._line)
            self._held = data[sure:]
            if sure:
                return data[:sure]
        last, self._held = self._held, b""
        return last


def _overlap(data: bytes, line: bytes) -> int:
    """How many of the last bytes are the beginning of a line."""
    starts: Callable[[int], bool] = lambda size: data.endswith(line[:size])  # noqa: E731
    return next((size for size in range(min(len(line) - 1, len(data)), 0, -1) if starts(size)), 0)
