"""Kinds of objects that more than one part of the controller names."""

DEPLOYMENT = "Deployment"
REPLICA_SET = "ReplicaSet"
STATEFUL_SET = "StatefulSet"
# The kinds of owners that the controller may list; of other kinds it sees the pods only.
READABLE_KINDS = (DEPLOYMENT, REPLICA_SET, STATEFUL_SET)
# The kind by which we refer to several owners together; no object has it.
OWNER_GROUP = "Group"


CRONJOB_API = JOB_API = "batch/v1"


SECRET = "Secret"  # noqa: S105  a kind
CONFIG_MAP = "ConfigMap"


CRONJOB = "CronJob"
JOB = "Job"
