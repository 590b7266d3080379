"""Equal parts of remembered objects are kept once: CronJobs differ in little but names."""

from typing import Any, TypeAlias

from controller.view import Json

# By what they are made of; parts go by their ids, which stay theirs as long as they are here.
_Key: TypeAlias = tuple[Any, ...] | str
# Beyond that it starts afresh: what changed over the weeks must not pile up.
_MOST = 500_000


class Pool:
    """Parts of JSON documents that were seen. None of them may be changed."""

    def __init__(self) -> None:
        self._parts: dict[_Key, Any] = {}

    def shared(self, item: Json) -> Json:
        """An equal document that shares its parts with those before."""
        if len(self._parts) > _MOST:
            self._parts = {}
        return {name: self._part(value) for name, value in item.items()}

    def _part(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._parts.setdefault(value, value)
        if isinstance(value, dict):
            made = {self._part(name): self._part(part) for name, part in value.items()}
            key = (dict, *((id(name), id(part)) for name, part in made.items()))
            return self._parts.setdefault(key, made)
        if isinstance(value, list):
            items = [self._part(part) for part in value]
            return self._parts.setdefault((list, *map(id, items)), items)
        return value
