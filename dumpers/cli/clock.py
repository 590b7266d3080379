from datetime import UTC, datetime


def now() -> datetime:
    """The time in UTC, to the second as records have it."""
    return datetime.now(UTC).replace(microsecond=0)
