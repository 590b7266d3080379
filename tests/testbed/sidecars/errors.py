"""Errors in the words of the sidecars: what went wrong inside, behind where it did, by colons."""

import contextlib
import os
import re
import tarfile
from collections.abc import Iterator

from botocore.exceptions import BotoCoreError, ClientError

_CLICKHOUSE = re.compile(
    r"Code: (\d+), e\.displayText\(\) = DB::Exception: (.*?), e\.what\(\)", re.DOTALL
)


class FailedError(Exception):
    """An operation ended with this error."""


# What an operation may end with: the server, the disk, the storage, or what was read from them.
KNOWN = (
    *(FailedError, OSError, RuntimeError, ValueError, KeyError),
    *(ClientError, BotoCoreError, tarfile.TarError),
)


class DiedError(BaseException):
    """The sidecar's process is gone: nothing is cleaned up, as nobody is there to do it."""


@contextlib.contextmanager
def wrapping(*places: str) -> Iterator[None]:
    """Says where an error came from, the outermost place first."""
    try:
        yield
    except KNOWN as error:
        raise FailedError(": ".join([*places, text_of(error)])) from error


def text_of(error: Exception) -> str:
    """What the sidecar's own libraries would say of it."""
    if isinstance(error, ClientError):
        told, answer = error.response["Error"], error.response["ResponseMetadata"]
        return (
            f"operation error S3: {error.operation_name}, https response error StatusCode: "
            f"{answer.get('HTTPStatusCode')}, RequestID: {answer.get('RequestId', '')}, "
            f"HostID: {answer.get('HostId', '')}, api error {told['Code']}: {told['Message']}"
        )
    if isinstance(error, BotoCoreError):
        return f"operation error S3: request send failed, {error}"
    if isinstance(error, ConnectionError):
        return f"dial tcp: connect: {os.strerror(error.errno).lower() if error.errno else error}"
    if isinstance(error, OSError) and error.errno:
        where = f"{error.filename or 'write'}"
        place = where if where.startswith("write") else f"open {where}"
        return f"{place}: {os.strerror(error.errno).lower()}"
    if isinstance(error, RuntimeError) and (found := _CLICKHOUSE.search(f"{error}")):
        return f"code: {found[1]}, message: {found[2]}"
    return f"{error}"
