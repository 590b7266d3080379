"""The verbs that the chart gives the controller, by resource: these and no more.

Where a right counts for one object only, its name follows the resource: `configmaps/NAME`.
"""

CONTROL = {
    "cronjobs.batch": {"get", "list", "create", "update", "delete"},
    "jobs.batch": {"get", "list", "create", "update"},
    "secrets": {"get", "list", "create", "update", "delete"},
    "pods": {"list"},
    "events": {"list"},
    "configmaps": {"create"},
}
WATCHED = {
    "pods": {"get", "list"},
    "services": {"list"},
    "configmaps": {"get", "create"},
    "secrets": {"get"},
    "events": {"create"},
    "deployments.apps": {"get", "list"},
    "replicasets.apps": {"get", "list"},
    "statefulsets.apps": {"get", "list"},
}
STATUS = "configmaps/ksnapshot-status"
CONTROL_BY_NAME = {STATUS: {"get", "update"}}
WATCHED_BY_NAME = {STATUS: {"update"}}
CLUSTER = {"namespaces": {"get"}}
# Where all namespaces are watched: in each of them, and of the cluster.
ALL = WATCHED | {"namespaces": {"list"}}
ALL_BY_NAME = {STATUS: {"update", "list"}, "namespaces/kube-system": {"get"}}
# Several replicas: the lease that says which one acts.
LEASE = "leases.coordination.k8s.io/ksnapshot-leader"
REPLICAS = {"leases.coordination.k8s.io": {"create"}, LEASE: {"get", "update"}}
# People who use the command, by the ends of their Roles' names.
VIEW = {
    "cronjobs.batch": {"get", "list"},
    "jobs.batch": {"get", "list"},
    "pods": {"get", "list"},
    "events": {"get", "list"},
    "deployments.apps": {"get", "list"},
    STATUS: {"get"},
}
ADMIN = VIEW | {
    "jobs.batch": {"get", "list", "create", "patch", "delete"},
    "cronjobs.batch": {"get", "list", "update", "patch"},
    "secrets": {"get", "create"},
    "pods/log": {"get"},
    "pods/portforward": {"create"},
}
DELETE = ADMIN | {"backups.ksnapshot.clickandmortar.fr": {"delete"}}
