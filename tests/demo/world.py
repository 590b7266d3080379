"""A small world to back up: a database, a store, ksnapshot installed by helm, a stock restore."""

import json
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pyrage

from dumpers.contract.result import DumpResult
from tests.demo import images
from tests.demo.kube import Kube, Object, ended_pod, terminated
from tests.demo.objects import USER, from_secret, secret, service, stateful_set
from tests.paths import REPOSITORY
from tests.testbed.cluster.one_node import ClusterError

CONTROL, SHOP, STORE = "ksnapshot", "ksnapshot-demo-shop", "ksnapshot-demo-store"
NAMESPACES = (CONTROL, SHOP, STORE)
RELEASE, BUCKET, DATABASE, COPY = "ksnapshot", "backups", "shop", "shop_restored"
WORKLOAD, POD = "database", "database-0"
ENDPOINT = f"http://store.{STORE}.svc.cluster.local:7070"
PREFIX = "ksnapshot.clickandmortar.fr"
_FOLDER = Path(__file__).resolve().parent

# Stock tools only: what a person types who has the object's address, the keys and the identity.
# Older releases of curl do not send the header by themselves.
_FETCH = r"""
set -euo pipefail
cat > /tmp/curl.conf <<END
user = "$S3_KEY:$S3_SECRET"
aws-sigv4 = "aws:amz:us-east-1:s3"
header = "x-amz-content-sha256: UNSIGNED-PAYLOAD"
END
fetch() {
  curl --silent --show-error --fail --config /tmp/curl.conf "$1" \
    | age -d -i /identity/key.txt | gunzip
}
transaction() {
  echo 'BEGIN;' && fetch "$1" && echo 'COMMIT;'
}
"""

_BARE = "set -e; began=$(date +%s%N); pg_dump >/dev/null; echo $(( $(date +%s%N) - began ))"


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """Everything that was made up for one demo: passwords and keys are fresh each time."""

    kube: Kube
    endpoint: str = ENDPOINT
    database_password: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    store_key: str = field(default_factory=lambda: secrets.token_hex(8))
    store_secret: str = field(default_factory=lambda: secrets.token_hex(20), repr=False)
    identity: pyrage.x25519.Identity = field(
        default_factory=pyrage.x25519.Identity.generate, repr=False
    )

    @property
    def recipient(self) -> str:
        """The public key that the backups are encrypted for."""
        return str(self.identity.to_public())

    def make_namespaces(self) -> None:
        """The three namespaces, empty: what an earlier demo left in them goes first."""
        self.remove()
        self.kube.apply(
            *(
                {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
                for name in NAMESPACES
            )
        )

    def remove(self) -> None:
        """Take everything away, the cluster's own objects of the release too."""
        present = [name for name in NAMESPACES if self.kube.get("namespace", name, "default")]
        if CONTROL in present:
            self.uninstall()
        if present:
            self.kube.run("delete", "namespace", *present, "--wait=true")

    def uninstall(self) -> None:
        """`helm uninstall`, also where nothing is installed."""
        wanted = ["--namespace", CONTROL, "--ignore-not-found", "--wait"]
        self.kube.helm("uninstall", RELEASE, *wanted)

    def deploy_store(self) -> None:
        """An S3 server with an empty bucket; its data goes with its pod."""
        names = {"app": "store"}
        # A folder is a bucket for this server, so an init container makes it before it starts.
        image = images.names()[images.STORE]
        make = {
            "name": "make-bucket",
            "image": image,
            "command": ["mkdir", "-p", f"/data/buckets/{BUCKET}", "/data/attributes"],
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }
        server = {
            "name": "s3",
            "image": image,
            "envFrom": [{"secretRef": {"name": "root"}}],
            "ports": [{"containerPort": 7070}],
            "readinessProbe": {
                "httpGet": {"path": "/health", "port": 7070},
                "periodSeconds": 1,
            },
            "volumeMounts": [{"name": "data", "mountPath": "/data"}],
        }
        template = {
            "metadata": {"labels": names},
            "spec": {
                "securityContext": {"fsGroup": USER},
                "terminationGracePeriodSeconds": 1,
                "initContainers": [make],
                "containers": [server],
                "volumes": [{"name": "data", "emptyDir": {}}],
            },
        }
        keys = {"ROOT_ACCESS_KEY": self.store_key, "ROOT_SECRET_KEY": self.store_secret}
        self.kube.apply(
            secret("root", STORE, keys),
            service("store", STORE, names, 7070),
            {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "metadata": {"name": "store", "namespace": STORE},
                "spec": {"selector": {"matchLabels": names}, "template": template},
            },
        )
        self.kube.run("rollout", "status", "-n", STORE, "deployment/store", "--timeout=180s")

    def deploy_database(self) -> None:
        """The PostgreSQL that is backed up."""
        login = {
            "POSTGRES_USER": "shop",
            "POSTGRES_PASSWORD": self.database_password,
            "POSTGRES_DB": DATABASE,
        }
        ready = ["pg_isready", "-h", "127.0.0.1"]
        self.deploy(WORKLOAD, images.DATABASE, port=5432, login=login, ready=ready)

    def deploy(
        self,
        name: str,
        image: str,
        *,
        port: int,
        login: Mapping[str, str],
        ready: Sequence[str],
        command: Sequence[str] = (),
        folder: str = "",
        probe_seconds: int = 1,
    ) -> None:
        """A StatefulSet with a headless Service and one for clients, as most people have it.

        With a `folder` of the node, its data is there and outlives the pod. It is probed every
        `probe_seconds`, each time by a process in its container.
        """
        labels = {"app": name}
        secret_name, headless = f"{name}-login", f"{name}-headless"
        container = {
            "name": "database",
            "image": images.names()[image],
            "env": from_secret(secret_name, login),
            "ports": [{"containerPort": port}],
            "readinessProbe": {
                "exec": {"command": list(ready)},
                "periodSeconds": probe_seconds,
                # A machine that is busy is no database that is away.
                "timeoutSeconds": 20,
            },
            **({"command": list(command)} if command else {}),
        }
        self.kube.apply(
            secret(secret_name, SHOP, login),
            service(name, SHOP, labels, port),
            service(headless, SHOP, labels, port, headless=True),
            stateful_set(name, SHOP, labels, container, service=headless, folder=folder),
        )
        self.kube.run("rollout", "status", "-n", SHOP, f"statefulset/{name}", "--timeout=180s")

    def psql(self, sql: str, database: str = DATABASE, pod: str = POD) -> str:
        """Run SQL in a database's own pod."""
        command = (
            f'PGPASSWORD="$POSTGRES_PASSWORD" psql -h 127.0.0.1 -U "$POSTGRES_USER" -d {database}'
        )
        flags = "--no-psqlrc --quiet --no-align --tuples-only --set ON_ERROR_STOP=1 --file -"
        return self.kube.execute(pod, SHOP, "bash", "-c", f"{command} {flags}", stdin=sql).strip()

    def lose_database(self) -> None:
        """Drop the database with all that is in it; an empty one of its name is left."""
        self.psql(f"DROP DATABASE {DATABASE} WITH (FORCE)", "postgres")
        self.psql(f"CREATE DATABASE {DATABASE}", "postgres")

    def fill_database(self) -> str:
        """Make the data; its size as PostgreSQL tells it."""
        self.psql((_FOLDER / "data.sql").read_text())
        return self.psql(f"SELECT pg_size_pretty(pg_database_size('{DATABASE}'))")

    def fingerprint(self, database: str) -> list[list[str]]:
        """Table, rows, checksum; one entry a table."""
        text = self.psql((_FOLDER / "fingerprint.sql").read_text(), database)
        return [line.split("|") for line in text.splitlines()]

    def install(self, **values: str | int | Mapping[str, Any]) -> None:
        """`helm install` the chart, watching the shop's namespace; a mapping is given as JSON."""
        reference = images.names()
        repository, _, tag = reference[images.CONTROLLER].rpartition(":")
        settings: Mapping[str, str | int | Mapping[str, Any]] = {
            "rbac.watchNamespaces[0]": SHOP,
            "image.repository": repository,
            "image.tag": tag,
            "dumperImages.postgresql.v16": reference[images.POSTGRESQL],
            "dumperImages.mysql.v8": reference[images.MYSQL],
            "dumperImages.clickhouse": reference[images.CLICKHOUSE],
            "dumperImages.elasticsearch": reference[images.ELASTICSEARCH],
            "s3.bucket": BUCKET,
            "s3.endpoint": self.endpoint,
            "existingSecret": "ksnapshot-s3",
            "encryption.enabled": "true",
            "encryption.recipient": self.recipient,
            "clusterName": "demo",
            "controller.pollIntervalSeconds": 5,
            "prune.enabled": "true",
            **values,
        }
        keys = {
            "AWS_ACCESS_KEY_ID": self.store_key,
            "AWS_SECRET_ACCESS_KEY": self.store_secret,
        }
        self.kube.apply(secret("ksnapshot-s3", CONTROL, keys))
        assignments = [
            f"--set-json={name}={json.dumps(value)}"
            if isinstance(value, Mapping)
            else f"--set={name}={value}"
            for name, value in settings.items()
        ]
        chart = str(REPOSITORY / "charts/ksnapshot")
        command = ["upgrade", "--install", RELEASE, chart, "--namespace", CONTROL, *assignments]
        self.kube.helm(*command, "--wait", "--timeout", "180s")

    def annotate(
        self, schedule: str, workload: str = WORKLOAD, engine: str = "postgresql", **more: str
    ) -> None:
        """Ask for backups of a database; on the owner itself, so that no pod restarts."""
        wanted = {"enabled": "true", "type": engine, "schedule": schedule, **more}
        pairs = [f"{PREFIX}/{name}={value}" for name, value in wanted.items()]
        self.kube.run("annotate", "-n", SHOP, f"statefulset/{workload}", "--overwrite", *pairs)

    def cronjob(self, schedule: str, workload: str = WORKLOAD) -> Object:
        """The CronJob that ksnapshot made for the database, once it has this schedule."""

        def probe() -> Object | None:
            for item in self.kube.list(
                "cronjobs", CONTROL, "app.kubernetes.io/managed-by=ksnapshot"
            ):
                owner = item["metadata"]["annotations"][f"{PREFIX}/owner"]
                if (owner, item["spec"]["schedule"]) == (f"{SHOP}/{workload}", schedule):
                    return item
            return None

        return self.kube.wait("ksnapshot to make the CronJob", probe, seconds=60)

    def started_pod(self, cronjob: str, *, known: frozenset[str] = frozenset()) -> Object:
        """The pod of the CronJob's next Job (none of the `known`), once it runs or has ended."""

        def probe() -> Object | None:
            for pod in self.kube.list("pods", CONTROL, "app.kubernetes.io/managed-by=ksnapshot"):
                name = pod["metadata"]["name"]
                if name.startswith(cronjob) and name not in known:
                    return pod if pod["status"]["phase"] != "Pending" else None
            return None

        return self.kube.wait("the schedule to start a dump", probe, seconds=150)

    def run_now(
        self, name: str, cronjob: str, *, retries: int = 0, env: Mapping[str, str] | None = None
    ) -> None:
        """Make a Job of the CronJob's template, as its schedule would; `env` wins over its own."""
        found = self.kube.get("cronjob", cronjob, CONTROL)
        if found is None:
            raise ClusterError(f"there is no cronjob/{cronjob}")
        template = found["spec"]["jobTemplate"]
        container = template["spec"]["template"]["spec"]["containers"][0]
        added = {key: {"name": key, "value": value} for key, value in (env or {}).items()}
        kept = [item for item in container["env"] if item["name"] not in added]
        container["env"] = [*kept, *added.values()]
        template["spec"]["backoffLimit"] = retries
        job = {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "namespace": CONTROL},
            "spec": template["spec"],
        }
        self.kube.apply(job)

    def dump(self, cronjob: str) -> tuple[int, DumpResult]:
        """Run the CronJob once; exit code and result of its pod."""
        job = f"by-hand-{secrets.token_hex(4)}"
        self.run_now(job, cronjob)
        [pod] = self.kube.wait("its pod", lambda: self.pods_of(job))
        return self.result(pod["metadata"]["name"])

    def pods_of(self, job: str) -> list[Object]:
        """The pods of a Job, oldest first."""
        found = self.kube.list("pods", CONTROL, f"batch.kubernetes.io/job-name={job}")
        return sorted(found, key=lambda pod: str(pod["metadata"]["creationTimestamp"]))

    def result(self, pod: str) -> tuple[int, DumpResult]:
        """Exit code and result of a dump's pod, as Kubernetes keeps them."""

        def probe() -> Object | None:
            found = self.kube.get("pod", pod, CONTROL)
            if found is None:
                raise ClusterError(f"pod {pod} is gone before it could be looked at")
            return terminated(found)

        ended = self.kube.wait(f"pod {pod} to end", probe, seconds=600)
        return ended["exitCode"], DumpResult.from_json(ended["message"])

    def bare_dump_seconds(self) -> float:
        """Time of the dump tool alone, writing to nowhere, in a pod like the dump's own."""
        image = images.names()[images.POSTGRESQL]
        text = self._job("bare-pg-dump", image, _BARE, env=self._client_env(DATABASE))
        return int(text.strip()) / 1e9

    def restore(self, key: str) -> None:
        """Bring an object back into an empty database with curl, age, gunzip and psql."""
        self.psql(f"DROP DATABASE IF EXISTS {COPY}")
        self.psql(f"CREATE DATABASE {COPY}")
        psql = "psql --quiet --no-psqlrc --set ON_ERROR_STOP=1 --output /dev/null"
        self.load([(key, psql)], images.DATABASE, env=self._client_env(COPY), fetch="transaction")

    def load(
        self,
        objects: Iterable[tuple[str, str]],
        image: str,
        *,
        env: Mapping[str, str],
        fetch: str = "fetch",
    ) -> None:
        """Feed each object to its stock command, one after the other, in a pod with stock tools."""
        self.kube.apply(secret("age-identity", SHOP, {"key.txt": f"{self.identity}\n"}))
        store = {"S3_KEY": self.store_key, "S3_SECRET": self.store_secret}
        address = f"{self.endpoint}/{BUCKET}"
        steps = [f"{fetch} '{address}/{quote(key)}' | {command}" for key, command in objects]
        script = "\n".join([_FETCH, *steps])
        self._job("restore", images.names()[image], script, env={**env, **store})

    def _client_env(self, database: str) -> Mapping[str, str]:
        return {
            "PGHOST": f"database.{SHOP}.svc.cluster.local",
            "PGUSER": "shop",
            "PGPASSWORD": self.database_password,
            "PGDATABASE": database,
        }

    def _job(self, name: str, image: str, script: str, *, env: Mapping[str, str]) -> str:
        """Run a script in a Job of the shop's namespace; its log, ClusterError if it fails."""
        container = {
            "name": name,
            "image": image,
            "command": ["bash", "-c", script],
            "envFrom": [{"secretRef": {"name": f"{name}-env"}}],
            "volumeMounts": [
                {"name": "tmp", "mountPath": "/tmp"},
                {"name": "identity", "mountPath": "/identity", "readOnly": True},
            ],
        }
        volumes = [
            {"name": "tmp", "emptyDir": {"medium": "Memory"}},
            {"name": "identity", "secret": {"secretName": "age-identity", "optional": True}},
        ]
        spec = {"restartPolicy": "Never", "containers": [container], "volumes": volumes}
        self.kube.run("delete", "job", name, "-n", SHOP, "--ignore-not-found", "--wait=true")
        self.kube.apply(
            secret(f"{name}-env", SHOP, env),
            {
                "apiVersion": "batch/v1",
                "kind": "Job",
                "metadata": {"name": name, "namespace": SHOP},
                "spec": {"backoffLimit": 0, "template": {"spec": spec}},
            },
        )
        pod = self.kube.wait(f"job {name}", ended_pod(self.kube, name, SHOP), seconds=600)
        log = self.kube.run("logs", "-n", SHOP, pod["metadata"]["name"])
        ended = terminated(pod)
        if ended is None or ended["exitCode"] != 0:
            raise ClusterError(f"job {name} failed: {json.dumps(ended)}\n{log}")
        return log
