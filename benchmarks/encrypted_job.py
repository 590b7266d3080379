"""What jobs are told that dump a PostgreSQL encrypted, and read what they have stored."""

import os
import sys
from pathlib import Path

import pyrage

from benchmarks.processes import backend
from tests.testbed.databases import postgres
from tests.testbed.stores import s3


def make_job(database: postgres.PostgresServer, store: s3.S3Server, folder: str) -> dict[str, str]:
    """The environment of a dump of the database `bench`, and of both sides of a restore or drill.

    The private key lies in the folder, as `key.txt`.
    """
    identity = pyrage.x25519.Identity.generate()
    Path(folder, "key.txt").write_text(str(identity))
    return {
        "PATH": f"{postgres.bin_folder()}:{os.environ['PATH']}",
        "PYTHON": sys.executable,
        "KSNAPSHOT_ENGINE": "postgresql",
        "KSNAPSHOT_GLOBALS": "false",
        "KSNAPSHOT_TERMINATION_LOG": f"{folder}/result",
        "KSNAPSHOT_EXCHANGE": folder,
        "KSNAPSHOT_IDENTITY_FILE": f"{folder}/key.txt",
        **backend(store),
        "POSTGRESQL_HOST": database.host,
        "POSTGRESQL_PORT": str(database.port),
        "POSTGRESQL_USERNAME": database.user,
        "POSTGRESQL_PASSWORD": database.password,
        "POSTGRESQL_DATABASE": "bench",
        "HOSTNAME": "bench",
        "ENCRYPTION_ENABLED": "true",
        "ENCRYPTION_RECIPIENT": str(identity.to_public()),
    }
