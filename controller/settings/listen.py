"""Where a server of the controller listens, as one text: `ADDRESS:PORT`."""

import ipaddress
import re
from dataclasses import dataclass
from typing import TypeAlias

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
NOWHERE = "none"
_FORM = re.compile(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15})):([0-9]{4,5})", re.ASCII)
_LOWEST, _HIGHEST = 1024, 65535


@dataclass(frozen=True, slots=True, kw_only=True)
class Listen:
    """An IP address of this machine, or that of all (`0.0.0.0`, `::`), and a TCP port."""

    address: str
    port: int

    @property
    def is_local(self) -> bool:
        """Whether only processes of this machine, or of this pod, get there."""
        address = ipaddress.ip_address(self.address)
        return (getattr(address, "ipv4_mapped", None) or address).is_loopback

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


def listen(text: str) -> Listen | None:
    """`127.0.0.1:8081`, `[::1]:8081`, `0.0.0.0:8081`; None for `none`: nowhere."""
    if text == NOWHERE:
        return None
    found = _FORM.fullmatch(text)
    bracketed, plain, port = found.groups() if found else ("", "", "0")
    address = _address(bracketed, ipaddress.IPv6Address) or _address(plain, ipaddress.IPv4Address)
    if not address or not _LOWEST <= int(port) <= _HIGHEST:
        raise ValueError(
            f"must be an IP address and a port from {_LOWEST} to {_HIGHEST}, such as"
            " 127.0.0.1:8081 or [::]:8081, or none"
        )
    return Listen(address=address, port=int(port))


def _address(text: str | None, kind: type[_Address]) -> str:
    """The address in its usual form; empty if it is none."""
    try:
        return str(kind(text or ""))
    except ValueError:
        return ""
