"""Kinds of objects that more than one part of the controller names."""

DEPLOYMENT = "Deployment"
REPLICA_SET = "ReplicaSet"
STATEFUL_SET = "StatefulSet"
# The kinds whose objects the controller may list; of any other it sees the pods only.
READABLE_KINDS = (DEPLOYMENT, REPLICA_SET, STATEFUL_SET)
# A kind of ours, which no object has: what several owners are together.
OWNER_GROUP = "Group"


CRONJOB_API = "batch/v1"


SECRET = "Secret"  # noqa: S105  a kind
CONFIG_MAP = "ConfigMap"


CRONJOB = "CronJob"
JOB = "Job"
