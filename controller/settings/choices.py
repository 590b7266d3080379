"""The words that some settings are chosen from."""

from enum import StrEnum

from dumpers.contract import names as variables


class Mode(StrEnum):
    """Where the connection to the cluster comes from: a kubeconfig, or the pod's own account."""

    LOCAL = "local"
    CLUSTER = "cluster"


class Verify(StrEnum):
    """How a dump is verified once it is done."""

    NONE = "none"
    READ_BACK = variables.READ_BACK


class Compression(StrEnum):
    """How the objects of a backup are compressed."""

    GZIP = variables.GZIP
    ZSTD = variables.ZSTD


class UnwatchedPolicy(StrEnum):
    """What happens to the CronJobs of a namespace that left the watch list."""

    KEEP = "keep"
    DELETE = "delete"


class Occasion(StrEnum):
    """What people are notified of."""

    FAILURE = "failure"
    RECOVERY = "recovery"
    OVERDUE = "overdue"


class BootstrapFrom(StrEnum):
    """From which namespaces a new workload may be restored, besides its own."""

    SAME = "Same"
    ALL = "All"
    SELECTOR = "Selector"
