"""Whether a server is a drill's own: anything may be made, changed and stopped there."""

from ipaddress import ip_address

from dumpers.contract.connection import Connection
from dumpers.runtime.errors import TargetRefusedError

_LOCALHOST = "localhost"


def check_loopback(server: Connection) -> None:
    """Raise TargetRefusedError for a server that is not in the drill's own pod."""
    if server.host != _LOCALHOST and not _is_loopback(server.host):
        raise _refusal(server, "it is not at 127.0.0.1, where the drill's own pod has it")


def check_mark(server: Connection, *, has: bool, mark: str) -> None:
    """Raise TargetRefusedError for a server without the `mark` that the drill's script gives."""
    if not has:
        raise _refusal(server, f"it has not {mark}, which the drill's own script gives a server")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _refusal(server: Connection, why: str) -> TargetRefusedError:
    return TargetRefusedError(
        f"{server.host}:{server.port} is no throwaway server, and a drill changes nothing on "
        f"others: {why}; leave out what leads the drill's client elsewhere, such as a variable "
        "with a host"
    )
