"""Finds the dumps of ksnapshot 0.6.0 in the bucket, day by day, the newest first."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from dumpers.repository.catalogue import Entry, group_keys
from dumpers.repository.keys import RunFolder, records_prefix, stamp
from dumpers.repository.legacy import (
    LegacyDump,
    day_prefix,
    engine_of,
    make_entry,
    parse_id,
    read_key,
)
from dumpers.runtime.errors import ConfigurationError
from dumpers.storage.run_storage import RunStorage


@dataclass(frozen=True, slots=True, kw_only=True)
class LegacyDumps:
    """The dumps of one CronJob that have no records."""

    storage: RunStorage
    path: str
    cluster: str
    cronjob: str

    def newest(self, limit: int) -> list[Entry]:
        """The newest dumps, at most `limit`; none for engines whose dumps are not read."""
        entries: list[Entry] = []
        if not engine_of(self.cronjob):
            return entries
        for day in self._days():
            for dump in sorted(self._of_day(day), key=lambda dump: dump.started, reverse=True):
                if len(entries) == limit:
                    return entries
                entries.append(self._entry(dump))
        return entries

    def find(self, wanted: str) -> tuple[LegacyDump, Entry]:
        """The dump with this id; ConfigurationError where there is none."""
        moment = parse_id(wanted)
        found = [] if moment is None else self._of_day(moment.date())
        dumps = [dump for dump in found if dump.started == moment]
        if len(dumps) != 1:
            raise ConfigurationError(
                f"there are {len(dumps)} dumps {wanted!r} of ksnapshot 0.6.0: list them"
            )
        return dumps[0], self._entry(dumps[0])

    def _entry(self, dump: LegacyDump) -> Entry:
        head = self.storage.call(lambda: self.storage.bucket.head(dump.key))
        size = head.size if head else 0
        return make_entry(dump, cluster=self.cluster, cronjob=self.cronjob, size=size)

    def _of_day(self, day: date) -> list[LegacyDump]:
        """The dumps of a day, without those of runs that left records."""
        prefix = day_prefix(path=self.path, cronjob=self.cronjob, day=day)
        keys = self._keys(prefix, since=prefix, until="")
        dumps = [read_key(prefix, key, cronjob=self.cronjob) for key in keys]
        found = [dump for dump in dumps if dump]
        if not found:
            return []
        records = records_prefix(path=self.path, cluster=self.cluster, cronjob=self.cronjob)
        begin = datetime.combine(day, time(), UTC)
        since, until = (f"{records}{stamp(begin + timedelta(days=days))}" for days in (0, 1))
        recorded = {
            run.started
            for run in map(RunFolder.parse, group_keys(records, self._keys(records, since, until)))
            if run
        }
        return [dump for dump in found if dump.started not in recorded]

    def _keys(self, prefix: str, since: str, until: str) -> list[str]:
        """All keys under a prefix between two keys; `until` is empty for no end."""

        def page() -> tuple[list[str], bool]:
            return self.storage.bucket.page(prefix, since=since)

        found: list[str] = []
        more = True
        while more:
            keys, more = self.storage.call(page)
            found += [key for key in keys if not until or key < until]
            more = more and (not until or keys[-1] < until)
            since = keys[-1] if keys else since
        return found

    def _days(self) -> Iterator[date]:
        """The days that have folders, the newest first."""
        root = f"{self.path}/" if self.path else ""
        for year in self._folders(root, digits=4):
            for month in self._folders(year, digits=2):
                for day in self._folders(month, digits=2):
                    text = day.removeprefix(root).strip("/")
                    try:
                        yield datetime.strptime(text, "%Y/%m/%d").date()  # noqa: DTZ007
                    except ValueError:
                        continue

    def _folders(self, prefix: str, *, digits: int) -> list[str]:
        found = self.storage.call(lambda: self.storage.bucket.folders(prefix))
        names = {folder: folder.removeprefix(prefix).rstrip("/") for folder in found}
        dated = [
            folder for folder, name in names.items() if name.isdecimal() and len(name) == digits
        ]
        return sorted(dated, reverse=True)
