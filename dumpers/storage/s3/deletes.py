"""Deleting many objects by one request, or one by one where the store does not know how."""

import logging
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from dumpers.runtime.errors import StorageRefusedError
from dumpers.runtime.log import fields
from dumpers.storage.errors import ForbiddenByStoreError, StoreAwayError
from dumpers.storage.s3 import errors
from dumpers.storage.s3.options import md5

_LOG = logging.getLogger(__name__)

# What S3 takes in one request.
MAX_DELETED = 1000
_NO_CONTENT = 204
# Proxies, and GCS, refuse by the signature what they do not know.
_NOT_KNOWN = {"InvalidArgument", "InvalidRequest", "SignatureDoesNotMatch"}
_GONE = {"NoSuchKey", "NoSuchVersion"}
_MAY_HEAL = {
    "InternalError",
    "SlowDown",
    "ServiceUnavailable",
    "RequestTimeout",
    "OperationAborted",
}


@dataclass(slots=True, kw_only=True)
class BatchDelete:
    """Deletions of one bucket; remembers whether its store knows requests of many keys.

    `send` makes such a request, `send_one` one for a single key, whose errors are ours; `errors`
    turns the SDK's errors into ours.
    """

    send: Callable[[Sequence[str]], Mapping[str, Any]]
    send_one: Callable[[str], object]
    errors: Callable[[str], AbstractContextManager[str]]
    is_known: bool = True

    def delete(self, keys: Sequence[str]) -> dict[str, str]:
        """Delete the objects, and return why the store refused which of them.

        StoreAwayError where an answer says nothing of a key, or that trying again may help: what is
        asked for may be asked for again.
        """
        refused: dict[str, str] = {}
        for first in range(0, len(keys), MAX_DELETED):
            batch = keys[first : first + MAX_DELETED]
            answer = self._ask(batch) if self.is_known else None
            refused |= self._one_by_one(batch) if answer is None else _refusals(batch, answer)
        return refused

    def _ask(self, keys: Sequence[str]) -> Mapping[str, Any] | None:
        """The answer to a request of many keys; None where the store does not know it."""
        with self.errors(f"delete {len(keys)} objects such as {keys[0]}"):
            try:
                return self.send(keys)
            except ClientError as error:
                status = errors.http_status(error)
                code = error.response.get("Error", {}).get("Code", "")
                if status not in errors.MAY_BE_A_QUESTION and code not in _NOT_KNOWN:
                    raise
                self.is_known = False
                known = fields(why=f"{code} ({status})")
                _LOG.info("the store deletes objects one by one", extra=known)
        return None

    def _one_by_one(self, keys: Sequence[str]) -> dict[str, str]:
        refused = {}
        for key in keys:
            try:
                self.send_one(key)
            except StorageRefusedError as error:
                is_forbidden = isinstance(error, ForbiddenByStoreError)
                refused[key] = "these keys may not delete it" if is_forbidden else str(error)
        return refused


def proven_deletion(answer: Mapping[str, Any], doing: str) -> None:
    """Raise StoreAwayError where a deletion's answer may be that of a proxy: a page with 200."""
    said = answer.get("ResponseMetadata", {})
    if said.get("HTTPStatusCode") != _NO_CONTENT and not said.get("RequestId"):
        raise StoreAwayError(
            f"cannot {doing}: the answer was a success, but not that of a store: see what stands "
            "between, such as a proxy or a login page"
        )


def md5_for_deletes(request: Any, **_: object) -> None:
    """Give a request of many deletions the one digest that every store takes."""
    for name in ("x-amz-checksum-crc32", "x-amz-sdk-checksum-algorithm", "Content-MD5"):
        if name in request.headers:
            del request.headers[name]
    request.headers["Content-MD5"] = md5(request.data)


def _refusals(keys: Sequence[str], answer: Mapping[str, Any]) -> dict[str, str]:
    """Why the store refused which of the keys; every key must be in its answer."""
    refused: dict[str, str] = {}
    told = {item.get("Key") for item in answer.get("Deleted", [])}
    for item in answer.get("Errors", []):
        key, code = item.get("Key"), str(item.get("Code", ""))
        told.add(key)
        if code in _MAY_HEAL:
            raise StoreAwayError(f"cannot delete {key}: {code}: {item.get('Message', '')}")
        if code == "AccessDenied":
            refused[key] = "these keys may not delete it"
        elif code not in _GONE:
            refused[key] = f"{code}: {item.get('Message', '')}"
    if missing := [key for key in keys if key not in told]:
        raise StoreAwayError(
            f"cannot delete {missing[0]}: the answer was a success that does not name it, so it is "
            "not the store's: see what stands between, such as a proxy or a login page"
        )
    return refused
