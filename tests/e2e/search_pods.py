"""Elasticsearch in a pod, asked by its own Python."""

import json
from dataclasses import dataclass
from typing import Any

from tests.demo import images
from tests.demo.world import SHOP, World

NAME = "elasticsearch"
_PORT = 9200
_HOME = "/usr/share/elasticsearch"
# Java writes logs below its programs, where the pod's user may not write.
_START = f"""
set -euo pipefail
export ES_PATH_CONF=/data/config ES_TMPDIR=/data/tmp ES_JAVA_OPTS='-Xms512m -Xmx512m'
mkdir -p "$ES_PATH_CONF" "$ES_TMPDIR"
cp -r {_HOME}/config/. "$ES_PATH_CONF/"
grep -v -e logs/ -e HeapDump {_HOME}/config/jvm.options >"$ES_PATH_CONF/jvm.options"
cat >"$ES_PATH_CONF/elasticsearch.yml" <<'END'
path.data: /data/data
path.logs: /data/logs
network.host: 0.0.0.0
discovery.type: single-node
node.store.allow_mmap: false
cluster.routing.allocation.disk.threshold_enabled: false
xpack.security.enabled: false
END
exec elasticsearch
"""
_ASK = """
import sys, urllib.request as u
kind, body = {"Content-Type": "application/json"}, sys.stdin.buffer.read()
asked = u.Request(sys.argv[2], data=body or None, headers=kind, method=sys.argv[1])
sys.stdout.buffer.write(u.urlopen(asked).read())
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Elasticsearch:
    """One node without logins in the shop's namespace."""

    world: World

    def deploy(self) -> None:
        listens = ["bash", "-c", f": </dev/tcp/127.0.0.1/{_PORT}"]
        command = ["bash", "-c", _START]
        self.world.deploy(
            NAME, images.SEARCH_SERVER, port=_PORT, login={}, ready=listens, command=command
        )
        self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=60s")

    def remove(self) -> None:
        self.world.kube.run("delete", "statefulset", NAME, "-n", SHOP, "--wait=true")

    def ask(self, method: str, path: str, body: str = "") -> Any:
        """What it answers; ClusterError where that is an error."""
        words = ["python3", "-c", _ASK, method, f"http://127.0.0.1:{_PORT}{path}"]
        return json.loads(self.world.kube.execute(f"{NAME}-0", SHOP, *words, stdin=body))
