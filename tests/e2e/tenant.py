"""Somebody who may only annotate: rights of docs/classes.md, commands of docs/tenants.md."""

import json
import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from controller.model import names
from tests.demo.kube import Kube, Object
from tests.demo.world import SHOP, WORKLOAD
from tests.disaster.guide import commands_of
from tests.paths import REPOSITORY
from tests.testbed.toolchain.tools import tool

ACCOUNT = "tenant"
Row = Mapping[str, Any]
DOCS = REPOSITORY / "docs"
# The namespace that the pages have.
_PLACE = "shop-a"


def page() -> Mapping[str, Sequence[str]]:
    """The commands of docs/tenants.md by the heading that they stand under."""
    text = (DOCS / "tenants.md").read_text()
    sections = (part.partition("\n") for part in text.split("\n## ")[1:])
    return {
        heading: [command.replace(_PLACE, SHOP) for command in commands_of(body)]
        for heading, _, body in sections
        if "```console" in body
    }


def documented_rights() -> list[Object]:
    """The Role of docs/classes.md, and the policy that lets nothing but annotations be changed."""
    section = (DOCS / "classes.md").read_text().split("\n## The rights of a tenant\n", 1)[1]
    blocks = re.findall(r"```yaml\n(.*?)```", section.split("\n## ", 1)[0], re.DOTALL)
    text = "---\n".join(blocks).replace(_PLACE, SHOP)
    return list(yaml.safe_load_all(text))


class RefusedError(Exception):
    """What the tenant typed did not work; its text is what was said."""


def type_command(command: str, folder: Path) -> "subprocess.CompletedProcess[str]":
    """Type a command of a page in a folder, with its kubeconfig and programs; how that ended."""
    return subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={
            "PATH": f"{folder}/bin:{os.environ.get('PATH', '')}",
            "HOME": str(folder),
            "KUBECONFIG": str(folder / "kubeconfig"),
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Tenant:
    """A ServiceAccount of the shop's namespace, with a kubeconfig of its own in a folder."""

    kube: Kube
    folder: Path

    def type(self, command: str) -> str:
        """What a command prints, typed in a shell as it stands on the page; RefusedError."""
        done = type_command(command, self.folder)
        if done.returncode != 0:
            raise RefusedError(done.stderr)
        return done.stdout

    def annotate(self, workload: str, values: Mapping[str, str | None]) -> None:
        """Give the StatefulSet these annotations; None takes one away."""
        pairs = [
            f"{names.PREFIX}{key}-" if value is None else f"'{names.PREFIX}{key}={value}'"
            for key, value in values.items()
        ]
        where = f"kubectl -n {SHOP} annotate --overwrite statefulset/{workload}"
        self.type(f"{where} {' '.join(pairs)}")

    def may_not_label(self) -> bool:
        """Whether it is told that nothing but annotations may be changed; nothing is."""
        try:
            self.type(f"kubectl -n {SHOP} label --dry-run=server statefulset/{WORKLOAD} a=b")
        except RefusedError as error:
            return "only annotations may be changed" in str(error)
        return False

    def row(self, workload: str) -> Row:
        """What the board says of a workload; empty where it does not have it."""
        text = self.type(f"kubectl -n {SHOP} get configmap ksnapshot-status -o json")
        rows = json.loads(json.loads(text)["data"]["workloads.json"])["workloads"]
        return next((row for row in rows if row["workload"] == f"{SHOP}/{workload}"), {})

    def wait(self, workload: str, reason: str, *words: str, **members: object) -> Row:
        """What the board says of it, once that is this reason, these words and these members."""
        wanted = {"reason": reason} | members

        def probe() -> Row | None:
            row = self.row(workload)
            said = all(word in row.get("message", "") for word in words)
            return row if said and wanted.items() <= row.items() else None

        what = f"{workload} to be {wanted} on the board, with the words {words}"
        return self.kube.wait(what, probe, seconds=120)


def make(kube: Kube, folder: Path) -> Tenant:
    """Give a new ServiceAccount the documented rights, and wait until all of them are in force."""
    account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": ACCOUNT, "namespace": SHOP},
    }
    rights = documented_rights()
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": ACCOUNT, "namespace": SHOP},
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "Role",
            "name": rights[0]["metadata"]["name"],
        },
        "subjects": [{"kind": "ServiceAccount", "name": ACCOUNT, "namespace": SHOP}],
    }
    kube.apply(account, *rights, binding)
    token = kube.run("create", "token", ACCOUNT, "-n", SHOP, "--duration=2h").strip()
    admin = json.loads(kube.run("config", "view", "--raw", "-o", "json"))
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": admin["clusters"][0]["cluster"]}],
        "users": [{"name": ACCOUNT, "user": {"token": token}}],
        "contexts": [{"name": "c", "context": {"cluster": "c", "user": ACCOUNT}}],
        "current-context": "c",
    }
    (folder / "kubeconfig").write_text(json.dumps(config))
    (folder / "bin").mkdir()
    (folder / "bin/kubectl").symlink_to(tool("kubectl"))
    tenant = Tenant(kube=kube, folder=folder)
    kube.wait("the policy", tenant.may_not_label, seconds=60)
    return tenant


def remove(kube: Kube) -> None:
    """Take away what lies outside the namespace, whose end takes the rest."""
    for item in documented_rights():
        if "namespace" not in item["metadata"]:
            kube.run("delete", item["kind"], item["metadata"]["name"], "--ignore-not-found")
