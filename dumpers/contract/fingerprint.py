"""What a dump holds, as digests that the dump of an equal database has as well."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class TableDigest:
    """The rows of one table as the dump tool wrote them; `rows` is None where none were counted."""

    digest: str
    rows: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """Digests as hex, of the algorithm of that name.

    `tables` holds the rows of each table by the name that the dump gives it, `rest` is the digest
    of all other bytes but those that differ from dump to dump. So every byte that matters is in
    one of them.
    """

    algorithm: str
    tables: Mapping[str, TableDigest]
    rest: str
