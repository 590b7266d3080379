"""Whether a person may delete backups: a right of its own, beside that to make Jobs."""

from controller.client.cluster.connection import Connection
from controller.client.terminal.errors import CommandError, Exit
from controller.model.names import API_GROUP

# No object has this name: Kubernetes' rules know rights to what it does not hold, too.
RESOURCE, VERB = "backups", "delete"


def check_may_delete(connection: Connection) -> None:
    """Raise CommandError where the user may not delete backups."""
    install = connection.install
    if not connection.kubectl.may(VERB, API_GROUP, RESOURCE, install.namespace):
        raise CommandError(
            f"you may not delete backups in the namespace {install.namespace}: ask for the Role"
            f" {install.name}-delete",
            Exit.FORBIDDEN,
        )
