"""Equal parts of remembered objects are kept once: CronJobs differ in little but names."""

from hashlib import blake2b
from typing import Any

import msgspec

from controller.model.objects import Json

_DIGEST_BYTES = 16
# Beyond that it starts afresh: what changed over the weeks must not pile up.
_MOST = 500_000


class JsonInterner:
    """Parts of JSON documents that were seen, by their text. None of them may be changed."""

    def __init__(self) -> None:
        self._parts: dict[str | bytes, Any] = {}

    def shared(self, item: Json) -> Json:
        """An equal document that shares its parts with those before."""
        if len(self._parts) > _MOST:
            self._parts = {}
        return {name: self._part(value) for name, value in item.items()}

    def _part(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._parts.setdefault(value, value)
        if not isinstance(value, dict | list):
            return value
        # The text itself would be as large as what is saved.
        key = blake2b(msgspec.json.encode(value), digest_size=_DIGEST_BYTES).digest()
        found = self._parts.get(key)
        if found is None:
            found = (
                [self._part(part) for part in value]
                if isinstance(value, list)
                else {self._part(name): self._part(part) for name, part in value.items()}
            )
            found = self._parts.setdefault(key, found)
        return found
