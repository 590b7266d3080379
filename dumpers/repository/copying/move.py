"""The records of a backup as they are in another storage: other keys, and the rest as it was.

They are changed as documents, so that members which this version does not know stay. Pure.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any

from dumpers.repository.record_json import read_record, seal
from dumpers.repository.records import FingerprintRecord, Manifest, StartedRecord, UnknownRecord
from dumpers.runtime.errors import BackupDamagedError, ConfigurationError

_RECORDS = "/manifests/"
_STARTED = [item.name for item in fields(StartedRecord)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """From which path of a storage to where in another one.

    `path`, `bucket` and `storage`, its name, are the other one's. Paths have no slash at their
    ends, and are empty for all of a bucket.
    """

    source_path: str
    path: str
    bucket: str
    storage: str

    def key(self, key: str) -> str:
        """The key of an object or record in the other storage.

        BackupDamagedError where it does not lie under the path that it is copied from.
        """
        below = self._below(key)
        return f"{self.path}/{below}" if self.path else below

    def _below(self, key: str) -> str:
        """A key of the source without its path."""
        path = f"{self.source_path}/" if self.source_path else ""
        if not key.startswith(path):
            raise BackupDamagedError(
                f"{key} does not lie under {self.source_path}/, so nothing says where its copy goes"
            )
        return key.removeprefix(path)

    def check(self, manifest: Manifest) -> None:
        """Raise BackupDamagedError where a manifest names an object that its run was not to write.

        Whoever writes to the source chooses what it names, and the copy writes by other keys.
        """
        begun = manifest.begun
        for key in dict.fromkeys((*begun.keys, *(item.key for item in manifest.objects))):
            if _RECORDS in f"/{self._below(key)}":
                raise BackupDamagedError(f"the manifest names {key}, where records lie, as a dump")
            if key not in begun.keys:
                raise BackupDamagedError(
                    f"the manifest names {key}, which its run was not to write"
                )

    def started(self, manifest: bytes, *, pod: str, deadline_seconds: int) -> bytes:
        """The started record of a copy, which `pod` makes, from the manifest that is copied.

        `deadline_seconds` counts from the beginning of the run, as in every started record.
        """
        moved = self._placed(json.loads(manifest))
        own = {"pod": pod, "deadline_seconds": deadline_seconds, "is_copy": True}
        members = {name: moved[name] for name in _STARTED if name in moved}
        return seal({"format": moved["format"], "record": "started", **members, **own})

    def manifest(self, body: bytes, *, checked: Mapping[str, bool], fingerprint: str) -> bytes:
        """The manifest of a copy.

        `checked` says of each object, by its key in the other storage, whether that confirmed it;
        `fingerprint` is the sha256 of the record that `fingerprint` makes, empty without one.
        """
        document = self._placed(json.loads(body))
        for item in document["objects"]:
            item["key"] = self.key(item["key"])
            item["checked"] = checked[item["key"]]
        if fingerprint:
            document["fingerprint"] = fingerprint
        return seal(document)

    def fingerprint(self, body: bytes, manifest: Manifest) -> bytes:
        """The record of what the backup holds, by its body in the storage that is copied from.

        BackupDamagedError where it is not the one that the manifest names, ConfigurationError where
        it is of a later version, and keys in it would have to be changed.
        """
        if hashlib.sha256(body).hexdigest() != manifest.fingerprint:
            raise BackupDamagedError("fingerprint.json is not the record that the manifest names")
        if self.source_path == self.path:
            return body
        match read_record(body):
            case FingerprintRecord():
                document = json.loads(body)
            case UnknownRecord():
                raise ConfigurationError(
                    "fingerprint.json is of a later version: copy this backup by that version"
                )
            case _:
                raise BackupDamagedError("fingerprint.json cannot be read")
        for item in document["objects"]:
            item["key"] = self.key(item["key"])
        return seal(document)

    def _placed(self, document: dict[str, Any]) -> dict[str, Any]:
        keys = [self.key(key) for key in document["keys"]]
        return document | {"bucket": self.bucket, "storage": self.storage, "keys": keys}
