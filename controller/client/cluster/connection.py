"""The options by which a verb reaches the cluster and the install that is meant."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import click

from controller.client.cluster import install
from controller.client.cluster.install import Install
from controller.kube.kubectl import Kubectl

# The namespace of the controller, where no option names it.
CONTROL_NAMESPACE = "KSNAPSHOT_NAMESPACE"
_OPTIONS = (
    click.option("--context", default="", metavar="NAME", help="Context of the kubeconfig."),
    click.option("--kubeconfig", default="", metavar="FILE", help="The kubeconfig."),
    click.option(
        "--control-namespace",
        default="",
        metavar="NS",
        help=f"Namespace of the controller; else {CONTROL_NAMESPACE}, else it is looked for.",
    ),
    click.option(
        "--release", default="", metavar="NAME", help="Which controller, where there are several."
    ),
)


@dataclass(slots=True, kw_only=True)
class Connection:
    """The cluster that a verb asks; nothing is asked before it is needed."""

    context: str = ""
    kubeconfig: str = ""
    control_namespace: str = ""
    release: str = ""
    _kubectl: Kubectl | None = field(default=None, repr=False)
    _install: Install | None = field(default=None, repr=False)

    @property
    def kubectl(self) -> Kubectl:
        """The cluster through kubectl; raises KubeError where there is no kubectl."""
        if self._kubectl is None:
            self._kubectl = Kubectl.find(context=self.context, kubeconfig=self.kubeconfig)
        return self._kubectl

    @property
    def install(self) -> Install:
        """The installed controller; raises CommandError where there is none, or several."""
        if self._install is None:
            namespace = self.control_namespace or os.environ.get(CONTROL_NAMESPACE, "")
            self._install = install.find_install(self.kubectl, namespace, self.release)
        return self._install

    def command_line(self, *words: str) -> str:
        """A command to give a person: `ksnapshot …` with the options that lead here."""
        options = {
            "--context": self.context,
            "--kubeconfig": self.kubeconfig,
            "--control-namespace": self.control_namespace,
            "--release": self.release,
        }
        given = [part for name, text in options.items() if text for part in (name, text)]
        return " ".join(("ksnapshot", *words, *given))


def connected(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a verb the options of a connection, and the connection as its first argument."""

    @wraps(verb)
    def call(
        context: str, kubeconfig: str, control_namespace: str, release: str, **options: Any
    ) -> Any:
        connection = Connection(
            context=context,
            kubeconfig=kubeconfig,
            control_namespace=control_namespace,
            release=release,
        )
        return verb(connection, **options)

    made: Callable[..., Any] = call
    for option in reversed(_OPTIONS):
        made = option(made)
    return made
