"""A Prometheus of Debian's own, which scrapes every second and looks back for ten days."""

import json
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.testbed.monitoring.readiness import is_ready
from tests.testbed.toolchain import packages, processes
from tests.testbed.toolchain.require import require


@dataclass(frozen=True, slots=True, kw_only=True)
class Prometheus:
    """A running server."""

    port: int

    def query(self, expression: str, at: float | None = None) -> list[dict[str, Any]]:
        """Ask for the series of an expression, now or at a moment; AssertionError if it fails."""
        return self._ask("query", query=expression, **({} if at is None else {"time": at}))

    def query_range(self, expression: str, start: float, end: float) -> list[dict[str, Any]]:
        """Ask for the series of an expression over a range, in a hundred steps."""
        step = max((end - start) / 100, 1)
        return self._ask("query_range", query=expression, start=start, end=end, step=step)

    def _ask(self, what: str, **parameters: object) -> list[dict[str, Any]]:
        query = urllib.parse.urlencode(parameters)
        try:
            with urllib.request.urlopen(
                f"http://127.0.0.1:{self.port}/api/v1/{what}?{query}"
            ) as it:
                answer = json.load(it)
        except urllib.error.HTTPError as error:
            answer = json.load(error)
        assert answer["status"] == "success", f"{parameters['query']}: {answer['error']}"
        assert not answer.get("warnings"), answer["warnings"]
        found: list[dict[str, Any]] = answer["data"]["result"]
        return found


@contextmanager
def start(
    scrapes: Sequence[Mapping[str, Any]],
    *,
    rules: Sequence[Mapping[str, Any]] = (),
    alertmanager: int | None = None,
) -> Iterator[Prometheus]:
    """Start one with these `scrape_configs`, and end it.

    The alerts of `rules`, looked at every second, go to the Alertmanager on that port.
    """
    try:
        program = packages.unpacked("prometheus") / "usr" / "bin" / "prometheus"
    except packages.MissingPackageError as error:
        require(None, str(error))
        raise
    port = processes.free_port()
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder, "prometheus.yml")
        # JSON is YAML.
        settings: dict[str, Any] = {
            "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
            "scrape_configs": list(scrapes),
            "rule_files": ["rules.yml"],
        }
        if alertmanager is not None:
            targets = [{"targets": [f"127.0.0.1:{alertmanager}"]}]
            settings["alerting"] = {"alertmanagers": [{"static_configs": targets}]}
        config.write_text(json.dumps(settings))
        groups = [{"name": "rules", "rules": list(rules)}]
        Path(folder, "rules.yml").write_text(json.dumps({"groups": groups}))
        server = processes.start(
            "prometheus",
            [
                program,
                f"--config.file={config}",
                f"--storage.tsdb.path={folder}/data",
                f"--web.listen-address=127.0.0.1:{port}",
                # So that a test may ask how things will look days later.
                "--query.lookback-delta=10d",
                # One may fire before its Alertmanager is known.
                "--rules.alert.resend-delay=1s",
            ],
            log=Path(folder, "log"),
            ready=lambda: is_ready(port),
        )
        try:
            yield Prometheus(port=port)
        finally:
            server.stop()
