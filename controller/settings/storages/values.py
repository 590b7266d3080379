"""One value of a storage → what it stands for; a ValueError says what the value must be.

No message shows a value: somebody may have put a key there.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from controller.settings import parsers
from controller.settings.storages.storage import AccessMode, CaReference
from dumpers.contract.env_reader import EnvReader
from dumpers.contract.key_names import normalise_path
from dumpers.contract.names import CA_KEY
from dumpers.contract.storages import options, variables
from dumpers.contract.storages.object_lock import COMPLIANCE, GOVERNANCE, MAX_DAYS, ObjectLock
from dumpers.contract.storages.storage_reader import StorageReader

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:/-]{1,254}", re.ASCII)
_REGION = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}", re.ASCII)
_ENDPOINT = re.compile(r"https?://[A-Za-z0-9._:\[\]-]{1,253}(/[A-Za-z0-9._/-]{0,253})?", re.ASCII)
_PATH = re.compile(r"[A-Za-z0-9._-][A-Za-z0-9._/-]{0,253}", re.ASCII)
_KMS_KEY = re.compile(r"[A-Za-z0-9:/_.-]{1,2048}", re.ASCII)
_SHOWN = 40


class MemberError(ValueError):
    """A value of an object is wrong; `member` is its name there."""

    def __init__(self, member: str, why: str) -> None:
        super().__init__(why)
        self.member = member


def text_like(pattern: re.Pattern[str], wanted: str) -> Callable[[Any], str]:
    """Texts of a form, which `wanted` describes."""

    def read(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"must be {wanted}")
        return value

    return read


bucket = text_like(_BUCKET, "a bucket's name")
region = text_like(_REGION, "a region, such as eu-west-3")
endpoint = text_like(
    _ENDPOINT, "an address with http:// or https://, without a user name or a query"
)
kms_key = text_like(_KMS_KEY, "the id, ARN or alias of a KMS key")


def path(value: Any) -> str:
    """A path in a bucket, without slashes around it."""
    found = normalise_path(value) if isinstance(value, str) else ""
    if not _PATH.fullmatch(found) or "//" in found:
        raise ValueError("must be a path in the bucket: A-Z, a-z, 0-9 and ._-/")
    return found


def secret(value: Any) -> str:
    """The name of a Secret."""
    if not isinstance(value, str):
        raise ValueError("must be the name of a Secret")  # noqa: TRY004  one error for all
    return parsers.object_name(value)


def boolean(value: Any) -> bool:
    """True or false, also as a text."""
    if isinstance(value, bool):
        return value
    return parsers.boolean(str(value))


def access_mode(value: Any) -> AccessMode:
    """One of the two access modes."""
    return parsers.one_of(AccessMode)(str(value))


def concurrency(value: Any) -> int:
    """How many parts are under way at once."""
    return _whole(value, options.MAX_UPLOAD_CONCURRENCY)


def namespaces(value: Any) -> tuple[str, ...]:
    """Patterns of namespaces; none where nobody may ask for the storage any more."""
    fits = isinstance(value, list) and all(
        isinstance(one, str) and parsers.NAMESPACES.fullmatch(one) for one in value
    )
    if not fits:
        raise ValueError(
            "must be a list of namespaces, in which * stands for any characters; leave it out for "
            "all of them"
        )
    return tuple(dict.fromkeys(value))


def ca(value: Any) -> CaReference:
    """Where the certificates of a store are."""
    given = _members(value, ("secret", "configMap", "key"))
    if ("secret" in given) == ("configMap" in given):
        raise ValueError("must name a Secret or a ConfigMap: `secret` or `configMap`")
    for member in ("secret", "configMap"):
        if member in given:
            _within(member, secret, given[member])
    key = given.get("key", CA_KEY)
    if not isinstance(key, str) or not parsers.SECRET_KEY.fullmatch(key):
        raise MemberError("key", "must be the name of a key in it")
    return CaReference(
        secret=given.get("secret", ""), config_map=given.get("configMap", ""), key=key
    )


def object_lock(value: Any) -> ObjectLock:
    """How long a store keeps what was written."""
    given = _members(value, ("mode", "days"))
    if not given:
        raise ValueError("must have a mode and days")
    return ObjectLock(
        mode=_within("mode", _lock_mode, str(given.get("mode"))),
        days=_within("days", lambda days: _whole(days, MAX_DAYS), given.get("days")),
    )


_lock_mode = parsers.one_of_words((GOVERNANCE, COMPLIANCE))


def as_the_job_reads(
    variable: str, read: Callable[[StorageReader], object]
) -> Callable[[Any], str]:
    """Texts that the job takes as the value of its variable, in its own words where it does not."""

    def check(value: Any) -> str:
        if isinstance(value, bool | dict | list):
            raise ValueError("must be a text")  # noqa: TRY004  one error for all
        env = EnvReader({variable: str(value)})
        read(StorageReader(env, ""))
        if env.faults:
            raise ValueError(env.faults[0].removeprefix(f"{variable} "))
        return str(value)

    return check


storage_class = as_the_job_reads(variables.S3_STORAGE_CLASS, options.read_storage_class)
sse = as_the_job_reads(variables.S3_SSE, options.read_sse)
tags = as_the_job_reads(variables.S3_TAGS, options.read_tags)
bandwidth = as_the_job_reads(variables.S3_MAX_BANDWIDTH, options.read_bandwidth)
patience = as_the_job_reads(variables.S3_PATIENCE, options.read_patience)


def _members(value: Any, known: tuple[str, ...]) -> Mapping[str, Any]:
    """The members of an object that are set."""
    if not isinstance(value, dict):
        raise ValueError(f"must be an object with {' and '.join(known)}")  # noqa: TRY004
    for name in value:
        if name not in known:
            raise MemberError(name, why_unknown(name, known))
    return {name: item for name, item in value.items() if item not in ("", None)}


def why_unknown(name: str, known: Sequence[str]) -> str:
    """What is wrong with the name of a member, which is none of those that are known."""
    near = get_close_matches(name[:_SHOWN], known, n=1)
    meant = f"did you mean {near[0]}?" if near else f"there are {', '.join(known)}"
    return f"is not known: {meant}"


def _within(member: str, read: Callable[[Any], Any], value: Any) -> Any:
    try:
        return read(value)
    except ValueError as error:
        raise MemberError(member, str(error)) from None


def _whole(value: Any, high: int) -> int:
    # Helm may write a whole number with a point.
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int | str):
        raise ValueError(f"must be a whole number from 1 to {high}")  # noqa: TRY004
    return parsers.whole(1, high)(str(value))
