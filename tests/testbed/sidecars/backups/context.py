"""What every step of an operation needs to know: of whom, with what, for whom."""

import json
from dataclasses import dataclass
from pathlib import Path

from tests.testbed.sidecars.backups.record import Layout
from tests.testbed.sidecars.backups.server import Server
from tests.testbed.sidecars.faults import Faults, Life, Step
from tests.testbed.sidecars.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """One operation's."""

    settings: Settings
    server: Server
    layout: Layout
    faults: Faults
    life: Life

    def at(self, step: Step) -> None:
        self.faults.at(step, self.life)

    def write(self, path: Path, body: bytes) -> None:
        """A file on the data disk, the server's own; OSError where that is full."""
        self.faults.room(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(body)

    def state(self, backup: str, command: str) -> Path:
        """Where an upload or a download is noted that can be gone on with.

        It stays where it ended well; only the local backup's end is its own.
        """
        return self.server.backups / backup / f"{command}.state2"

    def resumes(self, *, asked: bool) -> bool:
        """Whether an operation goes on with what a former one has left."""
        return asked or self.settings.use_resumable_state


@dataclass(slots=True, kw_only=True)
class Progress:
    """What an upload has stored so far, kept beside the local backup."""

    file: Path | None
    parameters: dict[str, object]
    done: dict[str, int]

    @classmethod
    def of(cls, file: Path | None, parameters: dict[str, object], *, fresh: bool) -> "Progress":
        """What is noted there for the same parameters; nothing where the remote is not begun."""
        if file is not None and fresh:
            file.unlink(missing_ok=True)
        done: dict[str, int] = {}
        if file is not None and file.exists():
            told = json.loads(file.read_text())
            done = told["done"] if told["parameters"] == parameters else {}
        found = cls(file=file, parameters=parameters, done=done)
        found._save()
        return found

    def add(self, key: str, size: int) -> None:
        self.done[key] = size
        self._save()

    def _save(self) -> None:
        if self.file is not None:
            told = {"parameters": self.parameters, "done": self.done}
            self.file.write_text(json.dumps(told))
