"""Completes names of workloads in the shell; asks the cluster, and keeps silent where it cannot."""

import click
from click.shell_completion import CompletionItem

from controller.client.cluster.connection import Connection
from controller.client.cluster.known import read_known
from controller.kube.client import KubeError

_OPTIONS = ("context", "kubeconfig", "control_namespace", "release", "namespace")


def complete_workloads(
    ctx: click.Context,
    param: click.Parameter,  # noqa: ARG001  click gives it
    incomplete: str,
) -> list[CompletionItem]:
    """List the workloads whose `namespace/name` or name begins like this."""
    context, kubeconfig, control, release, namespace = (
        str(ctx.params.get(name) or "") for name in _OPTIONS
    )
    connection = Connection(
        context=context, kubeconfig=kubeconfig, control_namespace=control, release=release
    )
    try:
        workloads = read_known(connection).workloads
    except (KubeError, click.ClickException):
        return []
    shown = [item for item in workloads if namespace in {"", item.namespace}]
    forms = [item.name if namespace else item.key for item in shown]
    forms += [item.name for item in shown if not item.key.startswith(incomplete)]
    return [CompletionItem(text) for text in dict.fromkeys(forms) if text.startswith(incomplete)]
