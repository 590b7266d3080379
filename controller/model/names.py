"""Names of generated objects, to the letter those of ksnapshot 0.6.0 (contract section 6)."""

import hashlib
import re
from functools import lru_cache

API_GROUP = "ksnapshot.clickandmortar.fr"
PREFIX = f"{API_GROUP}/"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
MANAGED_BY = "ksnapshot"
COMPONENT_LABEL = "app.kubernetes.io/component"
# Marks objects that 0.6.0 must not take for its own: it deletes those it does not know.
PART_OF_LABEL = "app.kubernetes.io/part-of"
PART_OF = "ksnapshot"
SELECTOR = f"{MANAGED_BY_LABEL}={MANAGED_BY}"
# Those that read backups by a schedule, which 0.6.0 must leave alone.
READERS_SELECTOR = f"{PART_OF_LABEL}={PART_OF},{COMPONENT_LABEL} in (drill,verify)"

# On a Secret, `"true"`: its login may go to a host that an annotation chose.
ALLOW_HOST_LABEL = f"{PREFIX}allow-host"

# Annotations that the controller writes on its CronJobs.
OWNER = f"{PREFIX}owner"
OWNER_KIND = f"{PREFIX}owner-kind"
OWNER_UID = f"{PREFIX}owner-uid"
MEMBERS = f"{PREFIX}members"
# Of the login that restores use, the variables whose values the mirrored Secret has for them.
RESTORE_LOGIN = f"{PREFIX}restore-login"
INSTANCE = f"{PREFIX}instance"
CLUSTER = f"{PREFIX}cluster"
OPTIONAL_FIELDS = f"{PREFIX}managed-optional-fields"
GONE_SINCE = f"{PREFIX}gone-since"
# The last value of the annotation backup-now that made a Job, and when that was.
BACKUP_NOW = f"{PREFIX}backup-now"
BACKUP_NOW_AT = f"{PREFIX}backup-now-at"
# What is known of the restores that annotations asked for, as JSON: see runs.restores.
RESTORE_NOW = f"{PREFIX}restore-now"
RESTORE_FORGET = f"{PREFIX}restore-forget"
BOOTSTRAP = f"{PREFIX}bootstrap"
# While a restore writes into the CronJob's database: the Job as `name/uid`, and what `suspend` was.
HELD_BY = f"{PREFIX}held-by"
HELD_SUSPEND = f"{PREFIX}held-suspend"
# On Jobs that people asked for, and on what verifies by schedule: the dump CronJob that they were
# made from.
CRONJOB = f"{PREFIX}cronjob"
# On Jobs that prune another storage than `main`: its name.
STORAGE = f"{PREFIX}storage"
# On Jobs that only say what they would delete.
DRY_RUN = f"{PREFIX}dry-run"
LAST_RESULT = f"{PREFIX}last-result"
LAST_SUCCESS = f"{PREFIX}last-success"
HISTORY = f"{PREFIX}history"
# When each of its storages got its last backup, as JSON: see runs.storage_marks.
STORAGES = f"{PREFIX}storages"
# What the last verification of one of its backups found.
LAST_PROOF = f"{PREFIX}last-proof"
# While the backups of a dump CronJob are verified by schedule: the cron line, since when it is in
# force, and how the last of these runs ended, as JSON: see runs.proving.
VERIFY_SCHEDULE = f"{PREFIX}verify-schedule"
VERIFY_SINCE = f"{PREFIX}verify-since"
LAST_VERIFY = f"{PREFIX}last-verify"
# Likewise while they are drilled by schedule; the last one also stays without a schedule.
DRILL_SCHEDULE = f"{PREFIX}drill-schedule"
DRILL_SINCE = f"{PREFIX}drill-since"
# Also without a schedule: what `ksnapshot drill` has asked.
DRILL_SQL = f"{PREFIX}drill-sql"
LAST_DRILL = f"{PREFIX}last-drill"
# On the pods of drills: what their server finds as /etc/passwd.
PASSWD = f"{PREFIX}passwd"
# The schedule that was asked for, where the CronJob's own was made of it.
ASKED_SCHEDULE = f"{PREFIX}asked-schedule"
# When somebody found the size of a workload's backups right: earlier ones are not compared with.
SIZE_ACCEPTED = f"{PREFIX}size-accepted"
# The class that a workload has, on its CronJob as on the workload itself.
CLASS = f"{PREFIX}class"
# Since when a CronJob is suspended, and since when it goes by the schedule that it has.
SUSPENDED_SINCE = f"{PREFIX}suspended-since"
SCHEDULED_SINCE = f"{PREFIX}scheduled-since"
# On the status ConfigMap: people were told of all that was due by this moment.
OVERDUE_TOLD_UNTIL = f"{PREFIX}overdue-told-until"

# Kubernetes' own annotations of Jobs: that a person made one from its CronJob, and for which moment
# of the schedule it made one itself.
INSTANTIATE = "cronjob.kubernetes.io/instantiate"
SCHEDULED_FOR = "batch.kubernetes.io/cronjob-scheduled-timestamp"

# On Jobs that were made suspended, until there is a place for them.
AWAITS_RELEASE = f"{PREFIX}awaits-release"

# The component of what verifies backups, and the word for it in names.
VERIFY = "verify"
# Likewise of what drills them.
DRILL = "drill"

# A CronJob's Jobs are named after it with eleven more characters, and a label holds 63.
MAX_CRONJOB_NAME = 52
# So many of them Kubernetes adds today: a dash, and the minute that was scheduled.
SCHEDULED_SUFFIX = 9
# A pod of an Indexed Job is a host by the Job's name, a dash and its number.
MAX_JOB_HOSTNAME = 63
_MAX_LABEL = 63
_HASH_LENGTH = 8


def owner_key(namespace: str, name: str) -> str:
    """`namespace/name`, without the kind, as 0.6.0 recorded owners."""
    return f"{namespace}/{name}"


@lru_cache(maxsize=8192)
def cronjob_name(type_: str, key: str) -> str:
    """Name of the CronJob for an owner key: at most 52 characters, made unique by a hash."""
    return _cronjob_name(type_, key, of=key)


@lru_cache(maxsize=8192)
def verify_cronjob_name(cronjob: str) -> str:
    """Name of the CronJob that verifies the backups of a dump CronJob.

    It follows from that CronJob's own name: owners of one key may have one of each type.
    """
    return _name_beside(VERIFY, cronjob)


@lru_cache(maxsize=8192)
def drill_cronjob_name(cronjob: str) -> str:
    """Name of the CronJob that drills the backups of a dump CronJob; as above."""
    return _name_beside(DRILL, cronjob)


def reader_names(cronjob: str) -> tuple[str, str]:
    """Names of the CronJobs that verify and drill the backups of a dump CronJob."""
    return verify_cronjob_name(cronjob), drill_cronjob_name(cronjob)


def _name_beside(word: str, cronjob: str) -> str:
    readable = cronjob.removeprefix("ksnapshot-")[: -1 - _HASH_LENGTH]
    return _cronjob_name(word, readable, of=cronjob)


def _cronjob_name(word: str, readable: str, *, of: str) -> str:
    digest = hashlib.sha256(of.encode()).hexdigest()[:_HASH_LENGTH]
    head = f"ksnapshot-{word}-"
    room = MAX_CRONJOB_NAME - len(head) - 1 - _HASH_LENGTH
    return f"{head}{_slug(readable)[:room].rstrip('-') or 'owner'}-{digest}"


def job_name(verb: str, key: str, random: str, *, spare: int = 0) -> str:
    """Name of a Job that somebody asked for, `ksnapshot-<verb>-<slug>-<hash>-<random>`.

    `random` has at most seven characters, so the name has at most 63, and so many less as it is to
    `spare`.
    """
    digest = hashlib.sha256(key.encode()).hexdigest()[:_HASH_LENGTH]
    head, tail = f"ksnapshot-{verb}-", f"-{digest}-{random}"
    room = _MAX_LABEL - spare - len(head) - len(tail)
    return f"{head}{_slug(key)[:room].rstrip('-') or 'owner'}{tail}"


def type_in(cronjob: str) -> str:
    """The engine type, or the component, in the name of a CronJob of ours."""
    return cronjob.removeprefix("ksnapshot-").partition("-")[0]


def secret_name(cronjob: str) -> str:
    """Name of the Secret that mirrors a workload's credentials for this CronJob."""
    return f"{cronjob}-credentials"


CONTAINER = "job"


def _slug(key: str) -> str:
    return re.sub(r"-+", "-", re.sub(r"[^a-z0-9-]+", "-", key.lower())).strip("-")
