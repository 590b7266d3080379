"""An Alertmanager, which tells nobody anything."""

import json
import tempfile
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.testbed.monitoring.readiness import is_ready
from tests.testbed.toolchain import processes
from tests.testbed.toolchain.tools import tool


@dataclass(frozen=True, slots=True, kw_only=True)
class Alertmanager:
    """A running server."""

    port: int

    def alerts(self) -> list[dict[str, Any]]:
        """List the alerts that it knows, each with `labels` and `status`, by its API."""
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/api/v2/alerts") as answer:
            found: list[dict[str, Any]] = json.load(answer)
        return found


@contextmanager
def start(inhibit_rules: Sequence[Mapping[str, Any]]) -> Iterator[Alertmanager]:
    """Start one with these `inhibit_rules`, and end it."""
    program = tool("alertmanager")
    port = processes.free_port()
    with tempfile.TemporaryDirectory() as data:
        config = Path(data, "alertmanager.yml")
        settings = {
            "route": {"receiver": "nobody"},
            "receivers": [{"name": "nobody"}],
            "inhibit_rules": list(inhibit_rules),
        }
        # JSON is YAML.
        config.write_text(json.dumps(settings))
        server = processes.start(
            "alertmanager",
            [
                program,
                f"--config.file={config}",
                f"--storage.path={data}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                # Alone: it looks for no others.
                "--cluster.listen-address=",
            ],
            log=Path(data, "log"),
            ready=lambda: is_ready(port),
        )
        try:
            yield Alertmanager(port=port)
        finally:
            server.stop()
