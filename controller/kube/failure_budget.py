"""Limits the time that reads of one namespace may lose by failing, one after the other."""

from dataclasses import dataclass, field

# A single failure may be the only one, however long it took.
_FREE_FAILURES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class FailureBudget:
    """The failures of one pass, by the namespace in which they happened.

    `limit` is the number of seconds that the failed reads of a namespace may take together.
    """

    limit: float
    _failures: dict[str, list[float]] = field(default_factory=dict, repr=False)

    def is_spent(self, namespace: str) -> bool:
        """Whether no more reads of this namespace should be tried in this pass."""
        failures = self._failures.get(namespace, [])
        return len(failures) >= _FREE_FAILURES and sum(failures) > self.limit

    def spend(self, namespace: str, seconds: float) -> None:
        """Count a read that failed after so many seconds."""
        self._failures.setdefault(namespace, []).append(seconds)
