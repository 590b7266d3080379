"""The main job on real input: annotate a database, let its backup happen, restore it, compare.

    python -m tests.demo          all of it; the cluster stays up for a look around
    python -m tests.demo --down   remove what it made

Uses the cluster of KUBECONFIG where that is set, else brings up one of its own (root).
Exit codes: 0 the restored database is equal, 1 a step failed and says why.
"""

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from dumpers.contract.result import DumpResult
from tests.demo import images
from tests.demo.command import Command, Ended
from tests.demo.kube import Kube, Object, log_fields
from tests.demo.world import BUCKET, CONTROL, COPY, DATABASE, SHOP, WORKLOAD, World
from tests.testbed.cluster import one_node as testbed
from tests.testbed.toolchain.tools import build_all, tool

_EVERY_MINUTE, _NIGHTLY = "* * * * *", "0 3 * * *"
_MEBIBYTE = 1 << 20


class DemoFailedError(RuntimeError):
    """The demo ran, and what it shows is not as it should be."""


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="tests.demo", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--down", action="store_true", help="remove what the demo made")
    options = parser.parse_args()
    try:
        if options.down:
            _down()
        else:
            _demo()
    except KeyboardInterrupt:
        print("\nstopped; `make demo-down` removes what is there", file=sys.stderr)
        return 1
    except Exception as error:  # noqa: BLE001  the edge: every step's failure is told the same way
        step = _STEPS[-1] if _STEPS else "starting"
        print(f"\nFAILED at: {step}\n{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


_STEPS: list[str] = []


@contextmanager
def _step(what: str) -> Iterator[None]:
    _STEPS.append(what)
    began = time.monotonic()
    print(f"\n==> {what}", flush=True)
    yield
    print(f"    {time.monotonic() - began:.1f} s", flush=True)


def _demo() -> None:
    began = time.monotonic()
    own = testbed.from_environment()
    with _step("Build what is missing: Kubernetes, an S3 server, the images"):
        archives = _build(own_cluster=own is None)
    with _step("Bring up a one-node cluster" if own is None else "Use the cluster of KUBECONFIG"):
        cluster = own or testbed.up()
        kube = Kube(cluster=cluster)
        images.bring(cluster, archives)
    world = World(kube=kube)
    with _step("Deploy an S3 server and a PostgreSQL StatefulSet with two Services"):
        world.make_namespaces()
        world.deploy_store()
        world.deploy_database()
    with _step("Generate relational data: keys, indexes, long text, bytes, many scripts"):
        print(f"    database {DATABASE!r} is {world.fill_database()}")
    with _step(f"helm install ksnapshot, watching namespace {SHOP}"):
        world.install()
        print(f"    encrypting for the fresh recipient {world.recipient}")
    with _step(f"Annotate statefulset/{WORKLOAD}: enabled, type postgresql, every minute"):
        world.annotate(_EVERY_MINUTE)
        cronjob = world.cronjob(_EVERY_MINUTE)
        name = cronjob["metadata"]["name"]
        print(f"    ksnapshot made cronjob/{name}")
    with _step("Wait for the schedule, then follow the dump"):
        pod = world.started_pod(name)["metadata"]["name"]
        _follow(kube, pod)
        code, result = world.result(pod)
        if code != 0 or not result.succeeded:
            raise DemoFailedError(f"the dump ended with {code}: {result.message}")
    with _step(f"Change the schedule to {_NIGHTLY!r}; ksnapshot follows"):
        world.annotate(_NIGHTLY)
        world.cronjob(_NIGHTLY)
    with _step("Time a bare pg_dump >/dev/null in a pod like the dump's"):
        bare = world.bare_dump_seconds()
    # The second object holds roles and tablespaces.
    key, _ = result.keys
    with _step("Restore with stock tools: curl | age -d | gunzip | psql"):
        world.restore(key)
    source = world.fingerprint(DATABASE)
    with _step("Compare rows and checksums of every table"):
        _compare(source, world.fingerprint(COPY))
    _restore_by_command(world, source)
    _summary(cluster, cronjob, result, bare=bare, seconds=time.monotonic() - began)


def _restore_by_command(world: World, source: Sequence[Sequence[str]]) -> None:
    command, workload = Command(cluster=world.kube.cluster), f"{SHOP}/{WORKLOAD}"
    with _step("Ask how the backups are: ksnapshot status, ksnapshot backups"):
        _show(command.run("status"))
        _show(command.run("backups", workload))
    with _step("Lose the database: drop it, and make an empty one"):
        world.lose_database()
    with (
        _step("Restore it by the command: ksnapshot restore -i key.txt"),
        tempfile.TemporaryDirectory() as folder,
    ):
        identity = Path(folder) / "key.txt"
        identity.write_text(f"{world.identity}\n")
        _show(command.run("restore", workload, "-i", identity))
        _compare(source, world.fingerprint(DATABASE))


def _build(*, own_cluster: bool) -> Mapping[str, Path]:
    # Packages are fetched and unpacked while the compiler has the processors.
    with ThreadPoolExecutor(2) as pool:
        stock = pool.submit(images.build, images.CONTROLLER, images.POSTGRESQL, images.DATABASE)
        build_all((*(testbed.TOOLS if own_cluster else ("kubectl",)), "helm", "versitygw"))
        return {**stock.result(), **images.build(images.STORE)}


def _follow(kube: Kube, pod: str) -> None:
    for line in kube.follow(pod, CONTROL):
        fields = log_fields(line)
        message = fields["message"]
        if message == "progress":
            read, sent = (fields[name] / _MEBIBYTE for name in ("bytes_read", "bytes_sent"))
            message = f"{read:.0f} MiB read, {sent:.0f} MiB sent, {fields['seconds']} s"
        print(f"    {pod[-5:]}: {message}", flush=True)


def _show(ended: Ended) -> None:
    """Show what a verb printed; DemoFailedError where it failed."""
    for line in (ended.err + ended.out).splitlines():
        print(f"    {line}")
    if ended.code != 0:
        raise DemoFailedError(f"the command ended with {ended.code}")


def _compare(source: Sequence[Sequence[str]], restored: Sequence[Sequence[str]]) -> None:
    for before, after in zip(source, restored, strict=True):
        verdict = "equal" if before == after else "DIFFERENT"
        print(f"    {before[0]:24} {before[1]:>9} rows  {before[2][:12]}…  {verdict}")
    if source != restored:
        raise DemoFailedError("the restored database is not equal")


def _summary(
    cluster: testbed.Cluster, cronjob: Object, result: DumpResult, *, bare: float, seconds: float
) -> None:
    key, roles = result.keys
    job = cronjob["spec"]["jobTemplate"]["spec"]["template"]["spec"]["containers"][0]
    host = next(item["value"] for item in job["env"] if item["name"] == "POSTGRESQL_HOST")
    name = cronjob["metadata"]["name"]
    rows = {
        "found": f"statefulset/{WORKLOAD} in {SHOP}, Service {host}",
        "created": f"cronjob/{name} and secret/{name}-credentials in {CONTROL}",
        "server, tool": f"PostgreSQL {result.server_version}, {result.tool_version}",
        "dump": f"{result.seconds:.1f} s, all checks included",
        "bare pg_dump": f"{bare:.1f} s (ratio {result.seconds / bare:.2f})",
        "read from the tool": f"{result.source_bytes / _MEBIBYTE:.1f} MiB",
        "stored, encrypted": f"{result.stored_bytes / _MEBIBYTE:.1f} MiB",
        "object": f"s3://{BUCKET}/{key}",
        "roles": f"s3://{BUCKET}/{roles}",
        "manifest": f"s3://{BUCKET}/{result.record}manifest.json",
        "restored": "equal, with stock tools only, and equal by the command",
        "whole demo": f"{seconds:.0f} s",
    }
    print("\n" + "\n".join(f"  {label:20} {value}" for label, value in rows.items()))
    kubectl = f"{tool('kubectl')} --kubeconfig {cluster.kubeconfig}"
    print(f"""
Try next:
  {kubectl} get cronjobs,jobs,pods -n {CONTROL}
  {kubectl} logs -n {CONTROL} deployment/ksnapshot
  KUBECONFIG={cluster.kubeconfig} KSNAPSHOT_KUBECTL={tool("kubectl")} .venv/bin/ksnapshot status
  {kubectl} create job -n {CONTROL} --from=cronjob/{name} by-hand
  make demo-down
""")


def _down() -> None:
    own = testbed.from_environment()
    if own is None:
        testbed.down()
    else:
        World(kube=Kube(cluster=own)).remove()


if __name__ == "__main__":
    sys.exit(main())
