"""Fields of pods as the API server stores them, so that no pass finds a difference in them."""

from collections.abc import Mapping
from typing import Any

# Maps whose keys are the user's own: whatever stands in them is stored.
_OWN_KEYS = frozenset({"labels", "annotations", "nodeSelector", "matchLabels"})
# Fields that are left out where they say what holds without them.
_DEFAULTS: Mapping[str, Any] = {"readOnly": False, "value": ""}


def as_stored(value: Any) -> Any:
    """The same without empty lists, and without the fields that are stored only if they say more.

    An empty object stays: `emptyDir: {}` and an empty selector have a meaning.
    """
    if isinstance(value, list):
        return [as_stored(item) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        key: item if key in _OWN_KEYS else as_stored(item)
        for key, item in value.items()
        if item != [] and not (key in _DEFAULTS and item == _DEFAULTS[key])
    }
