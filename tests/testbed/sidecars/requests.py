"""What an operation is asked for, whether by a query string, a body or a command line."""

from collections.abc import Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One operation with its flags."""

    command: str
    name: str
    tables: str = ""
    partitions: Sequence[str] = ()
    diff_from: str = ""
    diff_from_remote: str = ""
    schema: bool = False
    data: bool = False
    rbac: bool = False
    rbac_only: bool = False
    configs: bool = False
    configs_only: bool = False
    named_collections: bool = False
    delete_source: bool = False
    resume: bool = False
    drop: bool = False
    force: bool = False
    database_mapping: dict[str, str] = field(default_factory=dict)
    table_mapping: dict[str, str] = field(default_factory=dict)
    watch_interval: str = ""
    full_interval: str = ""
    template: str = ""

    @property
    def with_data(self) -> bool:
        """Whether parts are taken along."""
        return not (self.schema or self.rbac_only or self.configs_only)
