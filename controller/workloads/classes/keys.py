"""Which annotations a class may hold: all but those that are about one database only."""

from collections.abc import Mapping
from difflib import get_close_matches

from controller.workloads.annotations import NUMBERS, TEXTS, Annotation
from controller.workloads.request import ANNOTATIONS

# What a database is and where, who logs in, and what somebody asks for once. So a new annotation
# may be in a class unless it is named here, or is an option of an engine: what is in a dump.
OWN_KEYS = frozenset(
    {
        *("enabled", "type", "class", "version"),
        *("credentials-secret", "restore-credentials-secret", "database", "tls", "ca-secret"),
        *("group", "container", "read-from", "service", "host", "port", "drill-sql"),
        *("spread", "shard-count", "shards-at-a-time"),
        *("suspend", "backup-now", "restore-now", "restore-forget", "restore-from"),
        *(annotation.key for annotation in (*NUMBERS.values(), *TEXTS.values())),
    }
)
IN_CLASSES: Mapping[str, Annotation[object]] = {
    annotation.key: annotation for annotation in ANNOTATIONS if annotation.key not in OWN_KEYS
}


def refusal_of(key: str) -> str:
    """Why a class can hold no annotation of this key; empty where it can."""
    if key in IN_CLASSES:
        return ""
    if key in OWN_KEYS:
        return "is always the workload's own, so that no class can hold it: leave it out"
    near = get_close_matches(key, IN_CLASSES, n=1)
    meant = f"did you mean {near[0]}?" if near else f"a class may hold {', '.join(IN_CLASSES)}"
    return f"is no annotation: {meant}"
