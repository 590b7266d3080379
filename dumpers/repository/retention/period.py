"""The time that a proof is about: from so long ago until now."""

from datetime import UTC, datetime

from dumpers.repository.retention.duration import parse_duration

# No backup is older, and records write years before 1000 in fewer digits than readers take.
_EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)


def begin_of_period(text: str, until: datetime) -> datetime:
    """When a period of an age such as `90d` began; ValueError says what to write in its place."""
    since = parse_duration(text).before(until, UTC)
    if since < _EARLIEST:
        years = until.year - _EARLIEST.year
        raise ValueError(f"it begins before 1970, which no backup does: write {years}y at most")
    return since
