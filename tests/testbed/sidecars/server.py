"""The protocol server: one process of our own in the place of a sidecar's."""

import contextlib
import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

from tests.testbed.databases.clickhouse import Replica
from tests.testbed.sidecars import integration
from tests.testbed.sidecars.api import chbackup, routes
from tests.testbed.sidecars.api.wire import Answer, Asked, Door
from tests.testbed.sidecars.backups.server import Server
from tests.testbed.sidecars.faults import Faults
from tests.testbed.sidecars.operations import Operations, call_back
from tests.testbed.sidecars.settings import Settings
from tests.testbed.sidecars.worker import Process


@dataclass(slots=True, kw_only=True)
class Sidecar:
    """One beside one server; `faults` says what goes wrong in it."""

    replica: Replica
    host: str
    port: int
    settings: Settings
    faults: Faults = field(default_factory=Faults)
    asked: list[str] = field(default_factory=list)
    """The requests that came, by method and target; of all its processes."""
    _door: Door | None = None
    _process: Process | None = None

    @property
    def url(self) -> str:
        return f"{'https' if self.settings.tls else 'http'}://{self.host}:{self.port}"

    @property
    def server(self) -> Server:
        """The server as its admin sees it, and its folders."""
        return Server(replica=self.replica)

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        if self.settings.integration_tables:
            # The next test's server is to know of no sidecar that has ended.
            with contextlib.suppress(RuntimeError, OSError):
                integration.drop(self.server, self.settings)

    def stop(self) -> None:
        """Ends it for good."""
        self.kill()

    def start(self) -> None:
        """A new process that knows nothing of former operations, but goes on with uploads."""

        def notify(row: Any) -> None:
            more, seconds = self.settings.callbacks_tell_more, self.settings.callback_seconds
            call_back(row, more=more, seconds=seconds)

        process = Process(
            settings=self.settings,
            server=self.server,
            faults=self.faults,
            operations=Operations(notify=notify),
        )
        answer = chbackup.answer if self.settings.kind == "chbackup" else routes.answer

        def answered(asked: Asked) -> Answer:
            # As a configuration file, which is read for each request.
            process.settings = self.settings
            self.asked.append(f"{asked.method} {asked.target}")
            return answer(process, asked)

        self._process = process
        self._door = Door(self.host, self.port, self.settings.tls, answered)
        if self.settings.integration_tables:
            integration.create(self.server, self.settings, self.host, self.port)
        process.operations.begin(process.resume)

    def kill(self) -> None:
        """Ends the process at once: what it was doing stays half done, nobody tidies up."""
        if self._process is not None:
            self._process.operations.dead.set()
        if self._door is not None:
            self._door.close()
        if self._process is not None:
            self._process.operations.die()
        self._process = self._door = None

    def restart(self) -> None:
        """As a container that was killed and came back."""
        self.kill()
        self.start()

    def left(self) -> list[str]:
        """What there is of it on the data disk: local backups, and shadows of frozen tables."""
        data = self.server.data
        found = [*data.glob("backup/*"), *data.glob("shadow/*")]
        return sorted(f"{one.relative_to(data)}" for one in found if one.is_dir())

    def configure(self, **changes: Any) -> None:
        """Other settings from the next request on; TLS and tables only from the next start."""
        self.settings = dataclasses.replace(self.settings, **changes)
