"""Times, moments and counts in the words of the page."""

from datetime import UTC, datetime

from controller.report.page.markup import Html, div, element

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_LONGEST = 500


def duration(seconds: float) -> str:
    """Write a time span: `9.5 s`, `41 s`, `12 min`, `3 h 5 min`, `2 d 4 h`."""
    if seconds < _MINUTE:
        return f"{seconds:.3g} s"
    if seconds < _HOUR:
        return f"{seconds / _MINUTE:.0f} min"
    if seconds < 2 * _DAY:
        return f"{int(seconds) // _HOUR} h {int(seconds) % _HOUR // _MINUTE} min"
    return f"{int(seconds) // _DAY} d {int(seconds) % _DAY // _HOUR} h"


def moment(rfc3339: str) -> Html:
    """Show a moment to the minute, in UTC; what is none is shown as it is."""
    try:
        found = datetime.fromisoformat(rfc3339).astimezone(UTC)
    except (ValueError, OverflowError):
        return element("span", rfc3339)
    shown = found.strftime("%Y-%m-%d %H:%M")
    return element("time", shown, attributes={"datetime": rfc3339})


def shortened(message: str) -> str:
    """Cut what is longer than somebody reads in a table."""
    return message if len(message) <= _LONGEST else message[:_LONGEST] + "…"


def counted(number: int, one: str, many: str) -> str:
    """Write a number with its noun."""
    return f"{number} {one if number == 1 else many}"


def fix(text: str | None) -> Html | None:
    """Say what to do; it is a text of ours, with commands between backquotes."""
    if not text:
        return None
    parts = (
        element("code", part) if place % 2 else part for place, part in enumerate(text.split("`"))
    )
    return div("soft", "To do: ", *parts)
