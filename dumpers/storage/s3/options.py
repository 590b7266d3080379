"""What a request asks the store for besides the object itself."""

import base64
import hashlib
from typing import Any
from urllib.parse import quote, urlencode

from dumpers.contract.storages.location import S3Location


def object_options(location: S3Location) -> dict[str, Any]:
    """Encryption and tags, as the location asks for them."""
    return given(
        ServerSideEncryption=location.sse,
        SSEKMSKeyId=location.sse_kms_key_id,
        Tagging=urlencode(location.tags, quote_via=quote),
    )


def given(**options: str | None) -> dict[str, Any]:
    """The options that are set."""
    return {name: value for name, value in options.items() if value}


def md5(body: bytes | memoryview) -> str:
    """The digest of a body, as the header Content-MD5 has it."""
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest()).decode()
