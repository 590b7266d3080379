"""How an image with a database server is made to run one for a drill, and for nothing else."""

from collections.abc import Mapping
from dataclasses import dataclass, field

# The folder that the server's container and the client's share, in both: empty when they begin.
DRILL_FOLDER = "/drill"
# The account that the server's programs find themselves running as.
DRILL_ACCOUNT = "drill"


@dataclass(frozen=True, slots=True, kw_only=True)
class ThrowawayServer:
    """A server that holds one drill's data and ends with its pod.

    `script` is POSIX shell, run by the image's own /bin/sh in place of its entrypoint: as any user
    id that /etc/passwd knows as DRILL_ACCOUNT, with a root file system that may be read-only, and
    with DRILL_FOLDER and /tmp to write to. It makes an empty server in DRILL_FOLDER and becomes it
    by `exec`, so that SIGTERM ends it. The server listens at 127.0.0.1 alone, on the engine's
    default port, and takes the login `user` without a password, who may do everything there.
    `database` is what the client logs in to first, empty where there is none. `environment` is the
    script's.
    """

    script: str
    user: str
    database: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
