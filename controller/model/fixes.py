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
STATE_FIXES: Mapping[str, str] = {
    "Suspended": "remove `suspend`, its annotation or that on the CronJob, to go on",
    "RestoreRunning": "nothing: the schedule goes on once the restore has ended",
    "RestoringBeside": "nothing: the schedule goes on meanwhile",
    "RestoredBeside": "look at the copy, then give `restore-forget` a new value, which drops it",
    "RestoreRefused": "the message says why; nothing was changed, and backups go on",
    "RestoreFailed": "see the message and the Job's log; then ask again by another value",
    "RunBlocked": "see the message; `ksnapshot cancel` ends that run",
    "Waiting": "raise backupJob.maxConcurrent or maxConcurrentPerHost, or spread the schedules",
    "Overdue": "see its last run, else `kubectl describe cronjob` for why none began",
    "OwnerNotFound": "nothing, if it was deleted on purpose: its CronJob goes, its backups stay",
    "NamespaceNotFound": "nothing, if it was deleted on purpose: its backups stay",
    "Disabled": "annotate it again if that was a mistake",
    "TypeChanged": "nothing: the backup of the new type comes first",
    "GroupChanged": "nothing: the backup of the new group comes first",
    "NamespaceUnwatched": "watch the namespace again (rbac.watchNamespaces), or delete its CronJob",
    "ReadForbidden": "the Role in that namespace is missing: helm upgrade, or make it by hand",
    "ReadFailed": "nothing: the API server had trouble, and the next pass tries again",
    "OwnerUnreadable": "delete the CronJob if the workload is gone",
    "NoRunningPod": "scale it up, or see why its pod does not run",
    "ClusterUnknown": "set clusterName in the chart, or wait",
    "StandalonePod": "use a StatefulSet or Deployment: a pod without an owner is not backed up",
    "ConflictingAnnotations": "make the annotations agree; a rollout that ends settles it",
    "TypeInvalid": "correct the annotation `type`",
    "VersionInvalid": "correct or remove the annotation `version`",
    "ScheduleInvalid": "correct the annotation `schedule`",
    "TimeZoneInvalid": "correct the annotation `timezone`: an IANA name, such as Europe/Paris",
    "RecipientMissing": "set `encryption-recipient`, or encryption.recipient in the chart",
    "RecipientInvalid": "correct the annotation `encryption-recipient`",
    "AnnotationInvalid": "correct the annotation that the message names",
    "ServiceMissing": "create a Service that selects its pods, or name one by `service` or `host`",
    "ServiceAmbiguous": "several Services fit equally: name one by the annotation `service`",
    "ReplicasOnly": "name the primary's Service by `service`, or say `read-from: replica`",
    "ContainerMissing": "correct the annotation `container`",
    "CredentialsMissing": "set the named variables in the container, or use `credentials-secret`",
    "CredentialSourceMissing": "create the named Secret, ConfigMap or key",
    "CredentialSourceUnsupported": "give the variable by value, Secret or ConfigMap",
    "CredentialNotText": "use a login that is UTF-8 text",
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
    # A Job's own.
    "BackoffLimitExceeded": "see its log",
}
# Where a verification by schedule needs something else than a dump.
_VERIFICATION_FIXES = {
    "BackupDamaged": DAMAGED_FIX,
    "EncryptionFailed": "put the key of the newest backup into the Secret of identitySecret",
    "DeadlineExceeded": "let each run read less by a smaller `verify-sample`",
}


def verification_fix(reason: str) -> str:
    """What to do about a verification by schedule that failed; empty for an unknown reason."""
    return _VERIFICATION_FIXES.get(reason) or RUN_FIXES.get(reason, "")
