"""Text → value, for settings and annotations; a ValueError says what the text must be."""

import ipaddress
import json
import re
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from dumpers.contract.recipients import PRIVATE_KEY, holds_private_key
from dumpers.contract.verify.sample import parse_sample

_DNS_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", re.ASCII)
_HOST = re.compile(r"[A-Za-z0-9_]([-A-Za-z0-9_]*[A-Za-z0-9_])?", re.ASCII)
_HOST_PATTERN = re.compile(r"[-A-Za-z0-9_.:*]{1,253}", re.ASCII)
_QUANTITY = re.compile(r"([0-9]{1,18}(\.[0-9]{0,9})?)([numkMGTPE]|[KMGTPE]i|)", re.ASCII)
_BYTES = re.compile(r"([0-9]{1,18})([KMGTP]i|[kMGTP]|)", re.ASCII)
_UNITS: Mapping[str, int] = {"": 1, "k": 10**3} | {
    unit: int(base**power)
    for power, letter in enumerate("KMGTP", start=1)
    for unit, base in ((letter, 1000), (f"{letter}i", 1024))
}
SECRET_KEY = re.compile(r"[-._A-Za-z0-9]{1,253}", re.ASCII)
NAMESPACES = re.compile(r"[-a-z0-9*]{1,63}", re.ASCII)
# The key of a Secret that holds private keys, where nothing else is said.
IDENTITY_KEY = "identity"
SIGNING_KEY = "key.pem"
# What turns off something that has a default of the operator's.
NONE = "none"
_MAX_LABEL = 63
_MAX_NAME = 253
_MAX_NUMBER = 2**31 - 1
_COMPUTE = ("cpu", "memory", "ephemeral-storage")

E = TypeVar("E", bound=StrEnum)


def describe_value(text: str, *, hidden: bool = False, longest: int | None = None) -> str:
    """Show a value in a message, cut to `longest` characters; a secret is not shown."""
    if not text:
        return "not set"
    if hidden or holds_private_key(text):
        return "refused (its value is not shown)"
    return repr(text if longest is None or len(text) <= longest else text[:longest] + "…")


def describe_fault(text: str, why: str) -> str:
    """Say what is wrong with a value: `why`, unless that may repeat a private key of `text`."""
    return PRIVATE_KEY if holds_private_key(text) else why


def whole(low: int, high: int = _MAX_NUMBER) -> Callable[[str], int]:
    """Whole numbers from `low` to `high`."""

    def read(text: str) -> int:
        # Bounded in length first: int() refuses very long strings with an error of its own.
        short = text.isascii() and text.isdigit() and len(text) <= len(str(_MAX_NUMBER))
        if not short or not low <= int(text) <= high:
            raise ValueError(f"must be a whole number from {low} to {high}")
        return int(text)

    return read


def one_of(kind: type[E]) -> Callable[[str], E]:
    """The values of an enum."""

    def read(text: str) -> E:
        try:
            return kind(text)
        except ValueError:
            raise ValueError(f"must be one of: {', '.join(kind)}") from None

    return read


def one_of_words(words: Sequence[str]) -> Callable[[str], str]:
    """These words as they stand."""

    def read(text: str) -> str:
        if text not in words:
            raise ValueError(f"must be one of: {', '.join(words)}")
        return text

    return read


def some_of(kind: type[E]) -> Callable[[str], tuple[E, ...]]:
    """Values of an enum, separated by commas; each is listed once."""
    read_one = one_of(kind)

    def read(text: str) -> tuple[E, ...]:
        words = filter(None, map(str.strip, text.split(",")))
        return tuple(dict.fromkeys(map(read_one, words)))

    return read


def boolean(text: str) -> bool:
    """Exactly `true` or `false`."""
    if text not in {"true", "false"}:
        raise ValueError("must be true or false")
    return text == "true"


def unless_none(read: Callable[[str], str]) -> Callable[[str], str]:
    """The texts that `read` takes, and `none`, which acts as an empty one."""
    return lambda text: "" if text == NONE else read(text)


def sample(text: str) -> str:
    """A share of all backups, `n/m`."""
    try:
        return str(parse_sample(text))
    except ValueError:
        raise ValueError(
            "must be a share of the backups as n/m, with n at least 1 and at most m, such as 1/7"
        ) from None


def label(text: str) -> str:
    """A name as namespaces and Services have it."""
    if len(text) > _MAX_LABEL or not _DNS_LABEL.fullmatch(text):
        raise ValueError("must be a Kubernetes name: a-z, 0-9 and -, at most 63 characters")
    return text


def object_name(text: str) -> str:
    """A name as most Kubernetes objects have it: labels joined by dots."""
    if len(text) > _MAX_NAME:
        raise ValueError(f"must be a Kubernetes name: at most {_MAX_NAME} characters")
    for part in text.split("."):
        label(part)
    return text


def secret_key(text: str) -> str:
    """One key of a Secret as `NAME/KEY`; a name alone means its key `identity`."""
    return _key_of_secret(text, IDENTITY_KEY)


def signing_key(text: str) -> str:
    """One key of a Secret as `NAME/KEY`; a name alone means its key `key.pem`."""
    return _key_of_secret(text, SIGNING_KEY)


def _key_of_secret(text: str, default: str) -> str:
    name, slash, key = text.partition("/")
    if slash and not SECRET_KEY.fullmatch(key):
        raise ValueError("must be NAME or NAME/KEY, of a Secret and one of its keys")
    return f"{object_name(name)}/{key or default}"


def namespace_pairs(text: str) -> tuple[tuple[str, str], ...]:
    """Pairs `source:target` of namespaces, separated by commas; `*` stands for any characters."""
    pairs = []
    for item in filter(None, map(str.strip, text.split(","))):
        source, _, target = item.partition(":")
        if not (NAMESPACES.fullmatch(source) and NAMESPACES.fullmatch(target)):
            raise ValueError("must be pairs of namespaces such as production:staging, with commas")
        pairs.append((source, target))
    return tuple(pairs)


def host(text: str) -> str:
    """A host's name or IP address; nothing that a client would read as more than one host."""
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        parts = text.removesuffix(".").split(".")
        fits = all(len(part) <= _MAX_LABEL and _HOST.fullmatch(part) for part in parts)
        if len(text) > _MAX_NAME or not fits:
            raise ValueError("must be a host name or an IP address") from None
        return text


def host_patterns(text: str) -> tuple[str, ...]:
    """Patterns of hosts, given as a JSON list: names with `*`, addresses, and networks of them."""
    try:
        # No object and no text, whose parts would be taken one by one.
        return tuple(map(_host_pattern, json.loads(text if text[:1] == "[" else "")))
    except (TypeError, ValueError, RecursionError):
        raise ValueError(
            "must be a JSON list of host names, in which * stands for any characters, of IP "
            "addresses and of networks such as 10.0.0.0/8"
        ) from None


def _host_pattern(text: Any) -> str:
    if not isinstance(text, str):
        raise TypeError
    if "/" in text:
        return str(ipaddress.ip_network(text, strict=False))
    if not _HOST_PATTERN.fullmatch(text):
        raise ValueError(text)
    return text if "*" in text else host(text)


def printable(text: str) -> str:
    """One line of text."""
    if not text.isprintable():
        raise ValueError("must hold no control characters")
    return text


def json_object(text: str) -> dict[str, Any]:
    """A JSON object."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError("must be a JSON object")  # noqa: TRY004  every parser raises ValueError
    return found


def whole_bytes(text: str) -> int:
    """Bytes as Kubernetes writes them, such as `20Gi`."""
    found = _BYTES.fullmatch(text)
    if not found:
        raise ValueError("must give bytes such as 500Mi or 20Gi")
    return int(found[1]) * _UNITS[found[2]]


def resources(found: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    """A container's `requests` and `limits` of CPU, memory and ephemeral storage."""
    read: dict[str, dict[str, str]] = {}
    for part, amounts in found.items():
        if part not in {"requests", "limits"} or not isinstance(amounts, Mapping):
            raise ValueError("must hold objects called requests and limits, and nothing else")
        for name, amount in amounts.items():
            if name not in _COMPUTE or not _QUANTITY.fullmatch(str(amount)):
                known = ", ".join(_COMPUTE)
                raise ValueError(f"must give quantities such as 500m or 1Gi, of {known}")
        read[part] = {name: str(amount) for name, amount in amounts.items()}
    return read


def resources_json(text: str) -> str:
    """A container's resources, given as JSON, as canonical JSON."""
    return json.dumps(resources(json_object(text)), sort_keys=True, separators=(",", ":"))
