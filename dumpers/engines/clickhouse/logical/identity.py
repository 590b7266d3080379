"""Tells whether an object that was stored before holds what would be read now."""

import hashlib
import json
from collections.abc import Sequence

from dumpers.engines.clickhouse.logical.plan import TableRead


def identity(items: Sequence[TableRead]) -> str:
    """A digest of tables that are stored together: their place, statements, columns, partitions.

    And whether a restore passes over them: of replicas that all are read, the first one counts, and
    which one is first changes with their health.
    """
    read = [
        [
            *(item.label, item.redundant, *table.key, table.create),
            *(item.backup_table.columns, item.partitions),
        ]
        for item in items
        for table in (item.backup_table.table,)
    ]
    return hashlib.sha256(json.dumps(read).encode()).hexdigest()
