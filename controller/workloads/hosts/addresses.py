"""Addresses that no database has, in every way in which they can be written.

A dump that were sent there would ask a machine about itself: what listens on its loopback, or the
metadata server of a cloud, which gives away identities.
"""

import re
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import TypeAlias

Address: TypeAlias = IPv4Address | IPv6Address

# This host, loopback, link-local (with the metadata servers of most clouds), groups, and the
# metadata servers of Alibaba (100.100.100.200), Oracle (192.0.0.192) and Azure (168.63.129.16), of
# AWS and of Google by IPv6.
_REFUSED = tuple(
    map(
        ip_network,
        (
            *("0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255/32"),
            *("100.100.100.200/32", "192.0.0.192/32", "168.63.129.16/32"),
            *("::/128", "::1/128", "fe80::/10", "ff00::/8"),
            *("fd00:ec2::/32", "fd20:ce::254/128"),
        ),
    )
)
_NAMES = frozenset(
    (
        *("localhost", "localhost.localdomain", "localhost4", "localhost6", "ip6-localhost"),
        *("ip6-loopback", "metadata", "metadata.goog", "metadata.google.internal"),
        *("instance-data", "instance-data.ec2.internal", "host.docker.internal"),
        *("rancher-metadata", "rancher-metadata.rancher.internal"),
    )
)
# IPv6 that carries IPv4: written so or by SIIT (96 bits of prefix), by NAT64, or in its upper half
# by 6to4.
_CARRIES_LOW = tuple(map(ip_network, ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96")))
_CARRIES_HIGH = ip_network("2002::/16")
# NAT64 of a site's own (RFC 8215): which prefix of it a site took, nobody else knows.
_LOCAL_NAT64 = ip_network("64:ff9b:1::/48")
# Of no name: a name may begin with what looks like an address.
_OF_ADDRESSES = re.compile(r"(?=.*[0-9])[0-9.:*]+", re.ASCII)
_NUMBER = re.compile(
    r"0[xX](?P<hex>[0-9a-fA-F]{1,8})|0(?P<octal>[0-7]{0,11})|(?P<plain>[0-9]{1,10})"
)
_MOST_PARTS = 4
_BYTE = 8


def is_refused(host: str) -> bool:
    """Whether a host is this machine, link-local or a metadata server, however it is written."""
    name = _name(host)
    if name in _NAMES or name.endswith(".localhost"):
        return True
    return any(
        address in network
        for address in _meanings(address_of(host))
        for network in _REFUSED
        if network.version == address.version
    )


def address_of(host: str) -> Address | None:
    """The address that a host is; None where it is a name.

    As `inet_aton` of the C library, which clients ask: also with fewer than four parts, each of
    them decimal, octal with a leading 0, or hexadecimal.
    """
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        parts = _name(host).split(".")
    numbers = [_number(part) for part in parts]
    *first, last = numbers
    if len(numbers) > _MOST_PARTS or last is None:
        return None
    value = 0
    for number in first:
        if number is None or number >= 1 << _BYTE:
            return None
        value = (value << _BYTE) + number
    left = _BYTE * (_MOST_PARTS - len(first))
    return IPv4Address((value << left) + last) if last < 1 << left else None


def is_allowed(host: str, patterns: Sequence[str]) -> bool:
    """Whether a host fits one of the patterns: a name with `*`, an address, or a network of them.

    A network, such as `10.0.0.0/8`, is for addresses: a name may lead anywhere. So is a pattern
    with digits and no letters, such as `10.*`, which `10.evil.example` would fit, too.
    """
    address = address_of(host)
    written = _name(host) if address is None else str(address)
    for pattern in patterns:
        if "/" in pattern:
            network = ip_network(pattern)
            if address is not None and address.version == network.version and address in network:
                return True
        elif address is None and _OF_ADDRESSES.fullmatch(pattern):
            continue
        elif fnmatchcase(written, pattern.lower()):
            return True
    return False


def _name(host: str) -> str:
    return host.lower().removesuffix(".")


def _number(text: str) -> int | None:
    found = _NUMBER.fullmatch(text)
    if found is None:
        return None
    if found["hex"]:
        return int(found["hex"], 16)
    return int(found["octal"] or "0", 8) if found["plain"] is None else int(found["plain"])


def _meanings(address: Address | None) -> Iterator[Address]:
    """An address without its zone, and the IPv4 address that it carries."""
    if isinstance(address, IPv4Address):
        yield address
    elif address is not None:
        number = int(address)
        plain = IPv6Address(number)
        yield plain
        if any(plain in network for network in _CARRIES_LOW):
            yield IPv4Address(number & 0xFFFFFFFF)
        elif plain in _CARRIES_HIGH:
            yield IPv4Address(number >> 80 & 0xFFFFFFFF)
        elif plain in _LOCAL_NAT64:
            yield from map(IPv4Address, _of_local_nat64(number))


def _of_local_nat64(number: int) -> Iterator[int]:
    """What an address carries by each length that a prefix may have (RFC 6052).

    With 48, 56 and 64 bits of prefix, the bits 64 to 71 are left out, and those behind are zero.
    What begins with 0 is no address that a translator sends to, but bits of another length.
    """
    found = [number & 0xFFFFFFFF]
    upper, lower = number >> 64, number & (1 << 56) - 1
    for prefix in (48, 56, 64):
        bits = (upper & (1 << 64 - prefix) - 1) << 56 | lower
        behind = 120 - prefix - 32
        if not bits & (1 << behind) - 1:
            found.append(bits >> behind)
    return (value for value in found if value >> 24)
