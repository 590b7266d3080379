"""The Secret that COSI makes for whoever asked it for a bucket.

Its form, v1alpha1: https://github.com/kubernetes-sigs/container-object-storage-interface
"""

import json
from dataclasses import dataclass, field

# The key of the Secret.
BUCKET_INFO_KEY = "BucketInfo"
# The other one is by identity.
_BY_KEY = "KEY"


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketInfo:
    """What the Secret says of a bucket; empty where it says nothing."""

    bucket: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = field(default="", repr=False)
    secret_key: str = field(default="", repr=False)


def parse_bucket_info(text: str) -> BucketInfo:
    """Read the Secret's JSON; ValueError, as the rest of a sentence and without any of it."""
    try:
        spec = json.loads(text)["spec"]
        found = spec.get("secretS3") or {}
        info = BucketInfo(
            bucket=_text(spec, "bucketName"),
            endpoint=_text(found, "endpoint"),
            region=_text(found, "region"),
            access_key=_text(found, "accessKeyID"),
            secret_key=_text(found, "accessSecretKey"),
        )
        is_keyed = _text(spec, "authenticationType").upper() == _BY_KEY
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        # The error's own text, and its cause, would show what stands there.
        raise ValueError(f"must be the {BUCKET_INFO_KEY} of a COSI Secret, JSON") from None
    texts = (info.bucket, info.endpoint, info.region, info.access_key, info.secret_key)
    if not all(text.isprintable() for text in texts):
        raise ValueError(
            "holds a character that does not print, such as a line end, in a key, the bucket or "
            "its address"
        )
    if not info.bucket or not found:
        raise ValueError("must name a bucket with `secretS3`: only S3 is spoken")
    if is_keyed and not info.access_key and not info.secret_key:
        # Without keys, the identity of the pod would sign what goes there.
        raise ValueError(f"has no keys, and says that it has: its authenticationType is {_BY_KEY}")
    return info


def _text(members: dict[str, object], name: str) -> str:
    value = members.get(name) or ""
    if not isinstance(value, str):
        raise ValueError(name)  # noqa: TRY004  one error for all
    return value
