"""The throwaway node of a drill, by its own script, with a release of Maven's as its image."""

import contextlib
import json
import os
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dumpers.contract.connection import Connection
from dumpers.contract.drill.server import DRILL_FOLDER
from dumpers.engines.elasticsearch.throwaway import DRILL_SERVER
from tests.testbed.databases import search
from tests.testbed.toolchain import java, processes, scratch

_NOBODY = 65534
_HOME = "/usr/share/elasticsearch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Throwaway:
    """A running node."""

    connection: Connection
    log: Path

    def ask(self, method: str, path: str, body: Mapping[str, Any] | str | None = None) -> Any:
        """The answer as JSON; HTTPError."""
        text = json.dumps(body) if isinstance(body, Mapping) else body
        url = f"http://127.0.0.1:{self.connection.port}{path}"
        headers = {"Content-Type": "application/json"}
        data = text.encode() if text is not None else None
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        with urllib.request.urlopen(request) as answer:
            return json.loads(answer.read())


@contextlib.contextmanager
def start_throwaway(name: str, *, hides_config: bool = False) -> Iterator[Throwaway]:
    """An empty node of a release that answers `GET /`, as nobody, on another port.

    `hides_config`: it may not read the image's own configuration.
    """
    release = search.RELEASES[name]
    home = scratch.make("drill-search")
    folder = home / "shared"
    folder.mkdir()
    folder.chmod(0o777)
    uid = _NOBODY if os.geteuid() == 0 else None
    programs = scratch.reachable(search.installation(name), home, uid)
    (home / "java").mkdir(mode=0o755)
    runtime = str(scratch.reachable(java.home(release.java), home / "java", uid))
    port = processes.free_port()
    script = DRILL_SERVER.script.replace(f"folder={DRILL_FOLDER}", f"folder={folder}")
    script = script.replace(_HOME, str(programs)).replace("http.port: 9200", f"http.port: {port}")
    if hides_config:
        script = script.replace('"$home/config/', '"/nowhere/')
    log = home / "log"
    node = Throwaway(connection=Connection(host="127.0.0.1", port=port), log=log)

    def ready() -> bool:
        with contextlib.suppress(OSError, ValueError):
            return bool(node.ask("GET", "/_cluster/health")["status"] != "red")
        return False

    server = processes.start(
        "drill-search",
        ["/bin/sh", "-c", script],
        log=log,
        ready=ready,
        seconds=180,
        uid=uid,
        env={"JAVA_HOME": runtime, "ES_JAVA_HOME": runtime, **DRILL_SERVER.environment},
        cwd=Path("/"),
    )
    try:
        yield node
    finally:
        server.kill()
        scratch.remove(home)
