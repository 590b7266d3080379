"""Which store an endpoint is, so that two storages that are one place are seen as such."""

from urllib.parse import urlsplit

_AWS = (".amazonaws.com", ".amazonaws.com.cn")
# Names of buckets are unique within one of these, all other regions being one.
_PARTITIONS = ("cn-", "us-gov-", "us-iso")
_PORTS = {"http": 80, "https": 443}


def store_of(endpoint: str, region: str) -> str:
    """The same text for endpoints of one store, whose buckets differ by their names alone.

    All of AWS is one, with an endpoint or without. Empty texts stand for what is not said.
    """
    try:
        parts = urlsplit(endpoint.lower())
        host, port = (parts.hostname or "").rstrip("."), parts.port or _PORTS.get(parts.scheme)
    except ValueError:
        return endpoint
    if not endpoint or host.endswith(_AWS):
        said = host or region
        return "aws" + next((name for name in _PARTITIONS if name in said), "")
    return f"{host}:{port}{parts.path.rstrip('/')}"
