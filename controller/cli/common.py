"""The settings and the connection of verbs that work as the controller does."""

import os
import sys
from threading import Event

import click

from controller.kube.client import ATTEMPTS, CallCounts, Kube, KubeError, WriteLimit, no_limit
from controller.settings.choices import Mode
from controller.settings.settings import Settings
from controller.workloads import verifying
from controller.workloads.classes.checking import check_classes
from controller.workloads.drilling import asked as drilling
from dumpers.runtime.errors import ConfigurationError


def load_settings() -> Settings:
    """Read the settings from the environment; print every fault and exit with 1 if any."""
    try:
        settings = Settings.from_env(os.environ)
        verifying.check_default(settings)
        drilling.check_default(settings)
        check_classes(settings)
    except ConfigurationError as error:
        for fault in error.faults:
            click.echo(f"error: {fault}", err=True)
        sys.exit(1)
    return settings


def connect(
    settings: Settings,
    stopping: Event,
    *,
    kubeconfig: str = "",
    context: str = "",
    counts: CallCounts | None = None,
    timeout: float | None = None,
    write_limit: WriteLimit = no_limit,
    attempts: int = ATTEMPTS,
) -> Kube:
    """Connect to the cluster; print why and exit with 1 if there is no login for one.

    `counts` is told of each request; `timeout` of one request is in seconds, None is the setting's.
    `write_limit` says how long a write may take, `attempts` how often a call is made that gets no
    answer.
    """
    from controller.kube import http_client  # noqa: PLC0415  84 MB that a replay does not need

    try:
        return http_client.connect(
            in_cluster=settings.mode is Mode.CLUSTER,
            timeout=timeout or settings.api_timeout,
            stopping=stopping,
            kubeconfig=kubeconfig,
            context=context,
            counts=counts,
            write_limit=write_limit,
            attempts=attempts,
        )
    except KubeError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
