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
TERMINATION_LOG = "KSNAPSHOT_TERMINATION_LOG"
HOSTNAME = "HOSTNAME"

# Named as in libpq: the names say what is checked.
TLS_MODES = ("disable", "prefer", "require", "verify-ca", "verify-full")
# The key of a Secret with certificates to trust, as cert-manager and CloudNativePG have it.
CA_KEY = "ca.crt"
READ_BACK = "read-back"
DEFAULT_CLUSTER = "default"
DEFAULT_TERMINATION_LOG = "/dev/termination-log"
# What S3 takes; the last part may be smaller.
MIN_PART_MIB, MAX_PART_MIB = 5, 5120
