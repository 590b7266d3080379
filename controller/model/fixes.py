"""What to do about a workload's reason, or about that of a run that failed, in one line.

docs/operations.md says more; a test holds its tables and these together.
"""

from collections.abc import Mapping

_OTHERS_TURN = "the message says why"
# Where a backup reads differently from how it was stored.
DAMAGED_FIX = (
    "restore another one and see the store, then verify it again or `ksnapshot delete` it: "
    "`ksnapshot backups` lists all"
)
# Where a drill found that a backup is not what was dumped.
DOUBT_FIX = (
    "drill it once more by `ksnapshot drill`, and another one, which to restore from until then; "
    "the record of the drill says what differs"
)
# Where it is, and a check of the workload's own does not hold.
CHECK_FIX = (
    "see whether the data or the annotation `drill-sql` is wrong, drill an older backup by "
    "`ksnapshot drill`, and this one once more after that is settled"
)
STATE_FIXES: Mapping[str, str] = {
    "Suspended": "remove `suspend`, its annotation or that on the CronJob, to go on",
    "RestoreRunning": "nothing: the schedule goes on once the restore has ended",
    "RestoringBeside": "nothing: the schedule goes on meanwhile",
    "RestoredBeside": "look at the copy, then give `restore-forget` a new value, which drops it",
    "RestoreRefused": "the message says why; nothing was changed, and backups go on",
    "RestoreFailed": "see the message and the Job's log; then ask again by another value",
    "NotDrillable": "set identitySecret, or `drill-schedule: none`: the message says why",
    "DrillImageMissing": "name an image in drill.images, or allow its own in drill.allowedImages",
    "DrillBlocked": "see the message: mostly the image's name, or drill.imagePullSecrets",
    "ReaderRefused": "the message says which quota or policy refuses the CronJob that verifies or "
    "drills",
    "RunBlocked": "see the message; `ksnapshot cancel` ends that run",
    "Waiting": "raise backupJob.maxConcurrent or maxConcurrentPerHost, or spread the schedules",
    "Overdue": "see its last run, else `kubectl describe cronjob` for why none began",
    "OwnerNotFound": "nothing, if it was deleted on purpose: its CronJob goes, its backups stay",
    "NamespaceNotFound": "nothing, if it was deleted on purpose: its backups stay",
    "Disabled": "annotate it again if that was a mistake",
    "TypeChanged": "nothing: the backup of the new type comes first",
    "GroupChanged": "nothing: the backup of the new group comes first",
    "NamespaceUnwatched": "watch the namespace again (rbac.watchNamespaces), or delete its CronJob",
    "ReadForbidden": (
        "the Role in that namespace is missing, or rbac.readNames lacks a name: helm upgrade, or "
        "make it by hand"
    ),
    "ReadFailed": "nothing: the API server had trouble, and the next pass tries again",
    "OwnerUnreadable": "delete the CronJob if the workload is gone",
    "NoRunningPod": "scale it up, or see why its pod does not run",
    "ClusterUnknown": "set clusterName in the chart, or wait",
    "StandalonePod": "use a StatefulSet or Deployment: a pod without an owner is not backed up",
    "ConflictingAnnotations": "make the annotations agree; a rollout that ends settles it",
    "TypeInvalid": "correct the annotation `type`",
    "ClassInvalid": "correct the annotation `class`: the message names those that may be used",
    "ClassMissing": "set the annotation `class`: the message names those that may be used",
    "ClassAmbiguous": "set the annotation `class`, or ask those who run ksnapshot for one default",
    "NotAllowedByClass": "remove the annotations that the message names, or ask those who run "
    "ksnapshot to allow them",
    "VersionInvalid": "correct or remove the annotation `version`",
    "ScheduleInvalid": "correct the annotation `schedule`",
    "TimeZoneInvalid": "correct the annotation `timezone`: an IANA name, such as Europe/Paris",
    "RecipientMissing": "set `encryption-recipient`, or encryption.recipient in the chart",
    "RecipientInvalid": "correct the annotation `encryption-recipient`",
    "AnnotationInvalid": "correct the annotation that the message names",
    "StorageUnknown": "correct the annotation `storage`, or define it in the chart's `storages`",
    "StorageNotAllowed": "name another storage, or let the namespace use it by its `namespaces`",
    "StorageReadOnly": "name another storage: from this one backups are only read",
    "ServiceMissing": "create a Service that selects its pods, or name one by `service` or `host`",
    "ServiceAmbiguous": "several Services fit equally: name one by the annotation `service`",
    "ReplicasOnly": "name the primary's Service by `service`, or say `read-from: replica`",
    "ContainerMissing": "correct the annotation `container`",
    "CredentialsMissing": "set the named variables in the container, or use `credentials-secret`",
    "CredentialSourceMissing": "create the named Secret, ConfigMap or key",
    "CredentialSourceUnsupported": "give the variable by value, Secret or ConfigMap",
    "CredentialNotText": "use a login that is UTF-8 text",
    "TooManyWorkloads": "annotate fewer workloads of the namespace, or raise "
    "limits.workloadsPerNamespace",
    "ScheduleTooOften": "let the schedule that the message names run less often, or lower "
    "limits.minIntervalSeconds",
    "HostNotAllowed": "name a Service of the namespace, or have hosts.allowed in the chart let the "
    "host in",
    "SecretNotAllowed": "give the Secret the label `allow-host` that the message names, if its "
    "login may go to that host",
    "NameTaken": "rename one of the two workloads, or remove the foreign object",
    "CronJobRefused": "the message says which quota or policy refuses the CronJob",
    "SecretWriteFailed": "the message says why the login could not be written",
    "WriteConflict": "nothing: somebody else wrote at the same time, the next pass tries again",
    "WriteFailed": "nothing: the API server had trouble, and the next pass tries again",
    "InternalError": "please report it, with the controller's log line",
}
RUN_FIXES: Mapping[str, str] = {
    # The dumper's own.
    "InternalError": "please report it, with the run's log",
    "ConfigurationInvalid": "correct what the message names",
    "SourceFailed": "see the database: it is tried again",
    "StorageFailed": "see the store: it is tried again",
    "EncryptionFailed": "correct the recipient",
    "Interrupted": "nothing: it is tried again",
    "SourceRefused": "correct the login, database name or rights: the message says which",
    "StorageRefused": "correct the bucket's name, keys or rights: the message says which",
    "BackupUnreadable": "see the store: the message names the objects that it does not give",
    # Of drills.
    "DrillDiffers": DOUBT_FIX,
    "DrillNotLoaded": DOUBT_FIX,
    "DrillCheckFailed": CHECK_FIX,
    "DrillServerFailed": "see the log of the container `server` of its pod; mostly drill.resources "
    "or drill.volume is too small",
    "DrillServerUnfit": "name an image that is as the workload's own server in drill.images",
    "NotDrillable": "see the message; mostly the key of its backups belongs into the Secret of "
    "identitySecret, or an image of its server into drill.images",
    # What Kubernetes shows.
    "OOMKilled": "raise the memory limit: annotation `resources`, or backupJob.pod.resources",
    "Error": "see its log; exit code 137 is a kill from outside",
    "StartError": _OTHERS_TURN,
    "ContainerCannotRun": _OTHERS_TURN,
    "ContainerStatusUnknown": "see the node",
    "ErrImagePull": "correct the image, its registry's login or the network",
    "ImagePullBackOff": "correct the image, its registry's login or the network",
    "ErrImageNeverPull": "load the image onto the node, or change backupJob.imagePullPolicy",
    "InvalidImageName": "correct the image's name",
    "CreateContainerConfigError": "create the Secret, ConfigMap or key that the message names",
    "CreateContainerError": _OTHERS_TURN,
    "RunContainerError": _OTHERS_TURN,
    "ContainerNotStarted": "see `kubectl describe pod`",
    "FailedMount": "create the Secret or ConfigMap that the message names",
    "FailedCreatePodSandBox": "see the node's network plugin",
    "Unschedulable": "the message counts why no node takes it: mostly requests, taints, selectors",
    "Evicted": "nothing; requests of memory make it rarer",
    "Preempted": "nothing, or a priorityClassName",
    "NodeLost": "nothing: it is tried again",
    "NodeShutdown": "nothing: it is tried again",
    "Disrupted": _OTHERS_TURN,
    "DeadlineExceeded": "raise `deadline-seconds`, or see what it waited for",
    "PodFailed": _OTHERS_TURN,
    "QuotaExceeded": "raise the ResourceQuota of the control namespace, or lower requests",
    "ServiceAccountMissing": "helm upgrade, or make the dump jobs' ServiceAccount by hand",
    "AdmissionDenied": "the message names the policy, webhook or LimitRange",
    "FailedCreate": _OTHERS_TURN,
    "NoPod": "see the Job controller",
    "PodStillRunning": "keep sidecars out of dump pods",
    "ManifestMissing": "use a store that shows what was just written, or leave `spread` out",
    # A Job's own.
    "MaxFailedIndexesExceeded": "see the log of the shard's pods",
    "BackoffLimitExceeded": "see its log",
}
# Where a verification by schedule needs something else than a dump.
_VERIFICATION_FIXES = {
    "BackupDamaged": DAMAGED_FIX,
    "EncryptionFailed": "put the key of the newest backup into the Secret of identitySecret",
    "DeadlineExceeded": "let each run read less by a smaller `verify-sample`",
}


# Where a drill does.
DRILL_FIXES: Mapping[str, str] = {
    "BackupsMissing": "see whether bucket, prefix and clusterName are those of its backups, "
    "and the bucket's lifecycle rules; then dump it by `ksnapshot run`",
    "NoVerdict": "drill it once more by `ksnapshot drill`",
    "BackupDamaged": DAMAGED_FIX,
    "EncryptionFailed": _VERIFICATION_FIXES["EncryptionFailed"],
    "DeadlineExceeded": "raise drill.deadlineSeconds, or see what it waited for",
    "OOMKilled": "raise the memory in drill.resources",
    "Evicted": "raise the room in drill.volume, if the message says that it ran out; else nothing",
    "PodStillRunning": "keep sidecars out of the pods of drills",
}


def storage_fix(storage: str, reason: str) -> str:
    """What to do about a storage that has no backup of the last run, which is in others."""
    what = RUN_FIXES.get(reason) or _OTHERS_TURN
    return f"for the storage {storage}: {what}; `ksnapshot backup` tries it before the next run"


def verification_fix(reason: str) -> str:
    """What to do about a verification by schedule that failed; empty for an unknown reason."""
    return _VERIFICATION_FIXES.get(reason) or RUN_FIXES.get(reason, "")


def drill_fix(reason: str) -> str:
    """What to do about a drill that failed or was not possible; empty for an unknown reason."""
    return DRILL_FIXES.get(reason) or RUN_FIXES.get(reason, "")
