"""Variables and fixed words that a job and its controller share."""

ENCRYPTION_ENABLED = "ENCRYPTION_ENABLED"
ENCRYPTION_RECIPIENT = "ENCRYPTION_RECIPIENT"
ENGINE = "KSNAPSHOT_ENGINE"
CLUSTER = "KSNAPSHOT_CLUSTER"
WORKLOAD = "KSNAPSHOT_WORKLOAD"
CRONJOB = "KSNAPSHOT_CRONJOB"
DEADLINE = "KSNAPSHOT_DEADLINE_SECONDS"
PART_SIZE = "KSNAPSHOT_PART_SIZE_MIB"
VERIFY = "KSNAPSHOT_VERIFY"
ACCEPT = "KSNAPSHOT_ACCEPT"
# One of COMPRESSIONS; not set for the first of them.
COMPRESSION = "KSNAPSHOT_COMPRESSION"
# The names of the storages that a job may use, separated by commas; not set for MAIN alone. The
# variables BACKEND_… say where the first one is.
STORAGES = "KSNAPSHOT_STORAGES"
# Which backups of the workload are kept, and the zone whose days count: only recorded by a dump.
RETENTION = "KSNAPSHOT_RETENTION"
TIME_ZONE = "KSNAPSHOT_TIME_ZONE"
# The proof that a backup of the workload needs to cover others: PROOF_READ, PROOF_DRILLED, or not
# set for the store's word. Only recorded by a dump.
REQUIRED_PROOF = "KSNAPSHOT_REQUIRED_PROOF"
PROOF_READ = "read"
PROOF_DRILLED = "drilled"
# A LogLevel; every kind of job has it.
LOG_LEVEL = "KSNAPSHOT_LOG_LEVEL"
TERMINATION_LOG = "KSNAPSHOT_TERMINATION_LOG"
HOSTNAME = "HOSTNAME"
# Of a run that several pods share: how many shards there are, whose name and uid its Job has, and
# which shard is this pod's, from 0, as Kubernetes tells the pods of an Indexed Job.
SHARDS = "KSNAPSHOT_SHARDS"
JOB = "KSNAPSHOT_JOB"
JOB_UID = "KSNAPSHOT_JOB_UID"
INDEX = "JOB_COMPLETION_INDEX"

# Named as in libpq: the names say what is checked.
TLS_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
# The key of a Secret with certificates to trust, as cert-manager and CloudNativePG have it.
CA_KEY = "ca.crt"
# How the objects of a backup are compressed.
GZIP, ZSTD = "gzip", "zstd"
COMPRESSIONS = (GZIP, ZSTD)
# How the objects of a backup were read: as they are stored, or decrypted and unpacked to the end.
READ_BACK, DECODED = "read-back", "decoded"
DEFAULT_CLUSTER = "default"
DEFAULT_TERMINATION_LOG = "/dev/termination-log"
# What S3 takes; the last part may be smaller.
MIN_PART_MIB, MAX_PART_MIB = 5, 5120

# Variables of restore jobs. CLUSTER and CRONJOB say whose backups are meant.
# LATEST, the id of a run, or AT and a time.
BACKUP = "KSNAPSHOT_BACKUP"
# A RestoreRequest as JSON.
RESTORE = "KSNAPSHOT_RESTORE"
# `true` checks everything and changes nothing.
PLAN_ONLY = "KSNAPSHOT_PLAN_ONLY"
# The file with the private keys, in the container that reads the store only.
IDENTITY_FILE = "KSNAPSHOT_IDENTITY_FILE"
# The folder of the socket between the reader's container and the client's.
EXCHANGE = "KSNAPSHOT_EXCHANGE"
# Who asked, as the API server knows them.
REQUESTED_BY = "KSNAPSHOT_REQUESTED_BY"
# A Bootstrap as JSON: the new workload that is restored before its first backup.
BOOTSTRAP = "KSNAPSHOT_BOOTSTRAP"
# JSON lists of what a restore left: [live name, kept name] to exchange back, and names to drop.
UNDO = "KSNAPSHOT_UNDO"
FORGET = "KSNAPSHOT_FORGET"
# JSON lists of RestoreRequest.by, the newest first: of restores that could not say what they left.
UNDO_OF = "KSNAPSHOT_UNDO_OF"
FORGET_OF = "KSNAPSHOT_FORGET_OF"
# How many runs a list holds, and the folder of a run before which it begins.
LIST_LIMIT = "KSNAPSHOT_LIST_LIMIT"
LIST_BEFORE = "KSNAPSHOT_LIST_BEFORE"
# Whose runs a list holds, one of LIST_SCOPES: those of CRONJOB, or all of CLUSTER, or all.
LIST_SCOPE = "KSNAPSHOT_LIST_SCOPE"
LIST_SCOPES = ("cronjob", "cluster", "all")
# `true` lists the dumps of ksnapshot 0.6.0, too, which have no records.
LIST_LEGACY = "KSNAPSHOT_LIST_LEGACY"

# Variables of jobs that verify on a schedule. The share of the backups that each run reads, as n/m.
VERIFY_SAMPLE = "KSNAPSHOT_VERIFY_SAMPLE"

# Variables of jobs that say what was proved; LIST_SCOPE says of whose backups. An age, as
# `repository.retention.duration` reads it: how far back.
PROOF_SINCE = "KSNAPSHOT_PROOF_SINCE"
# Only workloads of this namespace; not set for all.
PROOF_NAMESPACE = "KSNAPSHOT_PROOF_NAMESPACE"
# The file with the private key that signs, PEM; not set where nothing is signed.
SIGNING_KEY_FILE = "KSNAPSHOT_SIGNING_KEY_FILE"

# The image of the throwaway server, for the record of a drill.
DRILL_IMAGE = "KSNAPSHOT_DRILL_IMAGE"
# The statements that a drill's client asks the restored databases, as `drill.checks` reads them.
DRILL_SQL = "KSNAPSHOT_DRILL_SQL"
# How many these are, for the reader; not set without any.
DRILL_CHECKS = "KSNAPSHOT_DRILL_CHECKS"

# Variables of jobs that delete backups. The floor is a policy, or `none`: what prune keeps whatever
# the policies in the bucket say.
RETENTION_FLOOR = "KSNAPSHOT_RETENTION_FLOOR"
# `true` says what would be deleted; nothing is written or deleted.
DRY_RUN = "KSNAPSHOT_DRY_RUN"
# Ids of runs separated by commas, or ALL_BACKUPS of the CronJob.
BACKUPS = "KSNAPSHOT_BACKUPS"
ALL_BACKUPS = "all"
# `true` passes over ids that are not in this storage, as another one may have them; each is named.
SKIP_MISSING = "KSNAPSHOT_SKIP_MISSING"

# Variables of jobs that hand a backup to one person. An age recipient: what these jobs print is
# encrypted to it.
REPLY_TO = "KSNAPSHOT_REPLY_TO"
# For how many seconds their URLs hold.
URL_SECONDS = "KSNAPSHOT_URL_SECONDS"
