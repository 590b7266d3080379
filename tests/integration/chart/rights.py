"""The verbs that the chart gives the controller, by resource: these and no more."""

CONTROL = {
    "cronjobs.batch": {"get", "list", "create", "update", "delete"},
    "jobs.batch": {"get", "list", "create"},
    "secrets": {"get", "list", "create", "update", "delete"},
    "pods": {"list"},
    "events": {"list"},
}
WATCHED = {
    "pods": {"get", "list"},
    "services": {"list"},
    "configmaps": {"get"},
    "secrets": {"get"},
    "deployments.apps": {"get", "list"},
    "replicasets.apps": {"get", "list"},
    "statefulsets.apps": {"get", "list"},
}
CLUSTER = {"namespaces": {"get"}}
