"""What an index's flat settings say of how it is to be read, and of what it needs."""

from collections.abc import Mapping
from typing import Any

from dumpers.engines.elasticsearch.product import NO_PIPELINE
from dumpers.engines.elasticsearch.survey.limits import refreshes_soon

SETTINGS = (
    "index.hidden",
    "index.frozen",
    "index.search.throttled",
    "index.mode",
    "index.mapping.source.mode",
    "index.derived_source.enabled",
    "index.max_result_window",
    "index.max_slices_per_scroll",
    "index.max_slices_per_pit",
    "index.refresh_interval",
    # Wherever it stands in an analyzer, a filter or a tokenizer.
    "index.analysis.*_path",
    "index.analysis.*synonyms_set",
    "index.xpack.ccr.following_index",
    "index.search.default_pipeline",
)
_REFRESH = "index.refresh_interval"
_SYNTHETIC_MODES = frozenset(("logsdb", "time_series"))


def says(settings: Mapping[str, Any], name: str) -> bool:
    """Whether a setting is true."""
    return str(settings.get(name, "false")) == "true"


def source_mode(settings: Mapping[str, Any]) -> str:
    """The mode that settings give `_source`, where its mapping says nothing."""
    said = settings.get("index.mapping.source.mode", "")
    derived = says(settings, "index.derived_source.enabled")
    if derived or (not said and settings.get("index.mode") in _SYNTHETIC_MODES):
        return "synthetic"
    return str(said)


def refreshes(settings: Mapping[str, Any]) -> bool | None:
    """Whether the index makes new documents visible soon; None where it does not say."""
    return refreshes_soon(settings[_REFRESH]) if _REFRESH in settings else None


def search_pipeline(settings: Mapping[str, Any]) -> str:
    """The search pipeline that searches go through; empty for none."""
    name = str(settings.get("index.search.default_pipeline", ""))
    return "" if name == NO_PIPELINE else name


def files(settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The files, and sets of synonyms, that its analyzers read, as it names them."""
    return tuple(
        sorted(
            {
                f"synonyms set {value}" if name.endswith("synonyms_set") else str(value)
                for name, value in settings.items()
                if name.startswith("index.analysis.")
            }
        )
    )
