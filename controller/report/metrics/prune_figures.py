"""The figures of prunes, which are of no workload."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from controller.report.metrics import families
from controller.report.metrics.exposition import Sample
from controller.report.metrics.family import Family
from controller.runs.due import seconds_of
from controller.runs.retention.prunes import Prunes, prune_due
from controller.settings.settings import Settings

_LONGEST_WORD = 64


@dataclass(slots=True, kw_only=True)
class PruneFigures:
    """What the passes of this process saw of prunes; counts go on for as long as it lives."""

    settings: Settings = field(repr=False)
    slack: int
    deleted: int = 0
    freed: int = 0

    def count(self, prunes: Prunes) -> None:
        """Count the prunes that ended since the last pass."""
        for prune in prunes.new:
            if prune.result:
                self.deleted += max(prune.result.deleted, 0)
                self.freed += max(prune.result.freed_bytes, 0)

    def samples(self, prunes: Prunes) -> dict[Family, list[Sample]]:
        """The series of a pass; none without any prune."""
        return {family: [sample] for family, sample in self._samples(prunes)}

    def _samples(self, prunes: Prunes) -> Iterator[tuple[Family, Sample]]:
        last, success = prunes.last, prunes.last_success
        moments = (
            (families.PRUNE_LAST_SUCCESS, seconds_of(success and success.finished)),
            (families.PRUNE_LAST_ATTEMPT, seconds_of(last and last.finished)),
            (families.PRUNE_DUE, prune_due(prunes, self.settings, self.slack)),
        )
        for family, moment in moments:
            if moment is not None:
                yield family, ((), moment)
        if last is None:
            return
        yield families.PRUNE_LAST_STATUS, ((last.reason[:_LONGEST_WORD],), float(last.succeeded))
        # One that failed half-way has not judged all. What several storages keep adds up.
        if results := [prune.result for prune in prunes.good if prune.result]:
            yield families.PRUNE_HELD_BACK, ((), sum(result.held_back for result in results))
            yield families.PRUNE_SHRUNK, ((), sum(result.shrunk for result in results))
            yield families.PRUNE_LEFT, ((), sum(result.left for result in results))
        yield families.PRUNE_DELETED, ((), self.deleted)
        yield families.PRUNE_FREED, ((), self.freed)
