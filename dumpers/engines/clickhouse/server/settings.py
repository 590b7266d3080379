"""The settings that every statement of a dump or a restore runs with.

A profile may set what cuts a result short, filters it or drops rows of an insert, without a word.
Whatever does so is pinned here; a server refuses a setting that it does not know (code 115).
"""

from collections.abc import Mapping

from dumpers.engines.clickhouse.server.client import Server
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
    # An older result, or parts of one from replicas that lag.
    "use_query_cache": "0",
    "enable_parallel_replicas": "0",
    "allow_experimental_parallel_reading_from_replicas": "0",
    "max_parallel_replicas": "1",
    # Without these the server's own verdict may be missing in query_log.
    "log_queries_probability": "1",
    "log_queries_min_type": "QUERY_START",
    "log_queries_min_query_duration_ms": "0",
}
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
    # Rows that a merge would collapse stay apart, as they were dumped.
    "optimize_on_insert": "0",
    # An asynchronous insert may be confirmed before it is written.
    "async_insert": "0",
    "wait_for_async_insert": "1",
    "insert_distributed_sync": "1",
    "distributed_foreground_insert": "1",
    "input_format_skip_unknown_fields": "0",
}
# The text of a table says what its types and columns are; a profile must not change them, and what
# its server once allowed is allowed here.
_CREATE_WHERE_KNOWN: Mapping[str, str] = {
    "flatten_nested": "0",
    # Paths of their own in databases that replicate themselves: those of this database instead.
    "database_replicated_allow_replicated_engine_arguments": "2",
    "data_type_default_nullable": "0",
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


def dump_settings(known: frozenset[str]) -> Mapping[str, str]:
    """The settings of every read, given the names in the server's system.settings."""
    return {**_DUMP, **_where(_DUMP_WHERE_KNOWN, known)}


def load_settings(known: frozenset[str]) -> Mapping[str, str]:
    """The settings of every insert of a restore, given the names in system.settings."""
    return {**_LOAD, **_where(_LOAD_WHERE_KNOWN, known)}


def create_settings(known: frozenset[str]) -> Mapping[str, str]:
    """The settings of every CREATE of a restore, given the names in system.settings."""
    return _where(_CREATE_WHERE_KNOWN, known)


def _where(settings: Mapping[str, str], known: frozenset[str]) -> dict[str, str]:
    return {name: value for name, value in settings.items() if name in known}


def read_known_settings(server: Server, interrupt: Interrupt) -> frozenset[str]:
    """The names of all settings that the server knows; one that it does not, it refuses."""
    # In one row: a profile may cut longer answers short, which these names are asked for to keep.
    [[names]] = server.rows("SELECT groupArray(name) FROM system.settings", interrupt)
    return frozenset(names)
