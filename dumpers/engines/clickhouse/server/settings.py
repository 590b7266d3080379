"""The settings that every statement of a dump or a restore runs with.

A profile may set what cuts a result short, filters it or drops rows of an insert, without a word.
Whatever does so is pinned here; a server refuses a setting that it does not know (code 115).
"""

from collections.abc import Mapping
from dataclasses import dataclass

from dumpers.engines.clickhouse.server.client import Server
from dumpers.runtime.errors import ErrorClasses
from dumpers.runtime.interrupt import Interrupt

_DUMP: Mapping[str, str] = {
    "max_execution_time": "0",
    "timeout_overflow_mode": "throw",
    "max_result_rows": "0",
    "max_result_bytes": "0",
    "result_overflow_mode": "throw",
    "max_rows_to_read": "0",
    "max_bytes_to_read": "0",
    "read_overflow_mode": "throw",
    "force_index_by_date": "0",
    "force_primary_key": "0",
    "skip_unavailable_shards": "0",
    "log_queries": "1",
    # A parameter of the HTTP interface, not a setting: true would have the server keep the result.
    "wait_end_of_query": "0",
}
_DUMP_WHERE_KNOWN: Mapping[str, str] = {
    "limit": "0",
    "offset": "0",
    "final": "0",
    "apply_deleted_mask": "1",
    "additional_table_filters": "{}",
    "additional_result_filter": "",
    "max_rows_to_read_leaf": "0",
    "max_bytes_to_read_leaf": "0",
    "read_overflow_mode_leaf": "throw",
    "max_execution_time_leaf": "0",
    "timeout_overflow_mode_leaf": "throw",
    "http_wait_end_of_query": "0",
    "http_write_exception_in_output_format": "0",
    "cancel_http_readonly_queries_on_client_close": "1",
    # Without the newest parts, until they are in a cache.
    "ignore_cold_parts_seconds": "0",
    # An older result, or parts of one from replicas that lag.
    "use_query_cache": "0",
    "enable_parallel_replicas": "0",
    "allow_experimental_parallel_reading_from_replicas": "0",
    "max_parallel_replicas": "1",
    # Rows as they are now, with all updates; never a part of them where a query is cancelled.
    "apply_patch_parts": "1",
    "partial_result_on_first_cancel": "0",
    # One layout of Native, which every server reads without being told.
    "output_format_native_encode_types_in_binary_format": "0",
    "output_format_native_use_flattened_dynamic_and_json_serialization": "0",
    "output_format_native_write_json_as_string": "0",
    # A store that is slow is no reason to end a query, nor are wide tables or many headers.
    "min_execution_speed": "0",
    "min_execution_speed_bytes": "0",
    "timeout_before_checking_execution_speed": "0",
    "max_estimated_execution_time": "0",
    "max_columns_to_read": "0",
    "max_query_size": "67108864",
    "max_ast_elements": "10000000",
    "max_expanded_ast_elements": "10000000",
    "send_progress_in_http_headers": "0",
    # Secrets of statements, where the server and this account's rights allow it.
    "format_display_secrets_in_show_and_select": "1",
    # Without these the server's own verdict may be missing in query_log.
    "log_queries_probability": "1",
    "log_queries_min_type": "QUERY_START",
    "log_queries_min_query_duration_ms": "0",
}
# Of the above, those that end a query with an error, or are for comfort: a profile may fix them.
_LOUD = frozenset(
    (
        *("max_execution_time", "max_execution_time_leaf", "max_result_rows", "max_result_bytes"),
        *("max_rows_to_read", "max_bytes_to_read", "max_rows_to_read_leaf"),
        *("max_bytes_to_read_leaf", "force_index_by_date", "force_primary_key", "log_queries"),
        *("log_queries_probability", "log_queries_min_type", "log_queries_min_query_duration_ms"),
        *("min_execution_speed", "min_execution_speed_bytes", "max_estimated_execution_time"),
        *("timeout_before_checking_execution_speed", "max_columns_to_read"),
        *("max_query_size", "max_ast_elements", "max_expanded_ast_elements"),
        *("send_progress_in_http_headers", "cancel_http_readonly_queries_on_client_close"),
        *("http_wait_end_of_query", "http_write_exception_in_output_format"),
        *("format_display_secrets_in_show_and_select", "insert_allow_materialized_columns"),
    )
)
# In this state of the setting `readonly` nothing can be changed.
_READ_ONLY = "1"
_LOAD: Mapping[str, str] = {
    "max_execution_time": "0",
    "timeout_overflow_mode": "throw",
    # Blocks that equal earlier ones are dropped otherwise.
    "insert_deduplicate": "0",
}
_LOAD_WHERE_KNOWN: Mapping[str, str] = {
    # Overrules insert_deduplicate where it exists.
    "deduplicate_insert": "disable",
    "max_partitions_per_insert_block": "0",
    "max_query_size": "67108864",
    "max_ast_elements": "10000000",
    # Rows that a merge would collapse stay apart, as they were dumped.
    "optimize_on_insert": "0",
    # An asynchronous insert may be confirmed before it is written.
    "async_insert": "0",
    "wait_for_async_insert": "1",
    "insert_distributed_sync": "1",
    "distributed_foreground_insert": "1",
    "input_format_skip_unknown_fields": "0",
    # Values of MATERIALIZED columns as they were, not as they would be computed now.
    "insert_allow_materialized_columns": "1",
    # How the rows of a dump are written, see above.
    "input_format_native_decode_types_in_binary_format": "0",
}
# The text of a table says what its types and columns are; a profile must not change them, and what
# its server once allowed is allowed here.
_CREATE_WHERE_KNOWN: Mapping[str, str] = {
    "flatten_nested": "0",
    # Paths of their own in databases that replicate themselves: those of this database instead.
    "database_replicated_allow_replicated_engine_arguments": "2",
    "data_type_default_nullable": "0",
    # What a restore drops it has loaded, or was told to replace.
    "max_table_size_to_drop": "0",
    "max_partition_size_to_drop": "0",
    **dict.fromkeys(
        (
            *("allow_deprecated_database_ordinary", "allow_deprecated_syntax_for_merge_tree"),
            *("allow_experimental_bfloat16_type", "allow_experimental_bigint_types"),
            *("allow_experimental_codecs", "allow_experimental_data_skipping_indices"),
            *("allow_experimental_dynamic_type", "allow_experimental_full_text_index"),
            *("allow_experimental_geo_types", "allow_experimental_inverted_index"),
            *("allow_experimental_json_type", "allow_experimental_live_view"),
            *("allow_experimental_low_cardinality_type", "allow_experimental_map_type"),
            *("allow_experimental_nlp_functions", "allow_experimental_nullable_tuple_type"),
            *("allow_experimental_object_type", "allow_experimental_projection_optimization"),
            *("allow_experimental_qbit_type", "allow_experimental_refreshable_materialized_view"),
            *("allow_experimental_statistics", "allow_experimental_time_series_table"),
            *("allow_experimental_time_time64_type", "allow_experimental_variant_type"),
            *("allow_experimental_vector_similarity_index", "allow_experimental_window_view"),
            *("allow_materialized_view_with_bad_select", "allow_suspicious_codecs"),
            *("allow_suspicious_fixed_string_types", "allow_suspicious_indices"),
            *("allow_suspicious_low_cardinality_types", "allow_suspicious_primary_key"),
            *("allow_suspicious_ttl_expressions", "allow_suspicious_variant_types"),
            *("enable_time_time64_type",),
        ),
        "1",
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownSettings:
    """The settings that a server knows, with the values that the account's profile gives them.

    `fixed` are those that the account must not change.
    """

    values: Mapping[str, str]
    fixed: frozenset[str] = frozenset()

    def __contains__(self, name: object) -> bool:
        return name in self.values


def dump_settings(known: KnownSettings, errors: ErrorClasses) -> Mapping[str, str]:
    """The settings of every read.

    What a profile fixes stays as it is where it is right already, or where it would end a query
    with an error. Raises the `refused` error where it would cut or alter rows without a word.
    """
    return _pinned({**_DUMP, **_where(_DUMP_WHERE_KNOWN, known)}, known, errors)


def load_settings(known: KnownSettings, errors: ErrorClasses) -> Mapping[str, str]:
    """The settings of every insert of a restore; raises as `dump_settings` does."""
    return _pinned({**_LOAD, **_where(_LOAD_WHERE_KNOWN, known)}, known, errors)


def create_settings(known: KnownSettings) -> Mapping[str, str]:
    """The settings of every CREATE of a restore."""
    wanted = _where(_CREATE_WHERE_KNOWN, known)
    return {name: value for name, value in wanted.items() if name not in known.fixed}


def _where(settings: Mapping[str, str], known: KnownSettings) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name in known}


def _pinned(
    wanted: Mapping[str, str], known: KnownSettings, errors: ErrorClasses
) -> Mapping[str, str]:
    faults = [
        f"{name} = {known.values[name]!r}"
        for name, value in wanted.items()
        if name in known.fixed and name not in _LOUD and known.values[name] != value
    ]
    if faults:
        raise errors.refused(
            "the settings profile of this account does not let these settings be changed, which "
            f"would cut or alter rows without an error: {', '.join(faults)}: allow it to change "
            "them (readonly = 2, no constraint), or take them out of the profile"
        )
    return {name: value for name, value in wanted.items() if name not in known.fixed}


def read_known_settings(server: Server, interrupt: Interrupt) -> KnownSettings:
    """Read the settings that the server knows; one that it does not know, it refuses."""
    # In one row each: a profile may cut longer answers short, which these are asked for to keep.
    source = server.source("system", "settings")
    [columns] = server.row(
        f"SELECT groupArray(name) FROM {server.source('system', 'columns')} "  # noqa: S608  quoted
        "WHERE database = 'system' AND table = 'settings'",
        interrupt,
    )
    readonly = "readonly" if "readonly" in columns else "0"
    names, values, fixed = server.row(
        f"SELECT groupArray(name), groupArray(value), groupArray(toUInt8({readonly})) "  # noqa: S608  quoted
        f"FROM {source}",
        interrupt,
    )
    known = dict(zip(names, values, strict=True))
    if known.get("readonly") == _READ_ONLY:
        return KnownSettings(values=known, fixed=frozenset(known))
    return KnownSettings(
        values=known,
        fixed=frozenset(name for name, is_fixed in zip(names, fixed, strict=True) if int(is_fixed)),
    )
