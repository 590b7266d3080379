"""Small curves of a workload's last runs, as SVG without any script."""

from collections.abc import Callable, Sequence

from controller.report.page.markup import Html, element
from controller.runs.history import PastRun

_WIDTH, _HEIGHT = 120, 28
_EDGE = 2
_TICK = 5
# Of fewer good runs there is nothing to see.
_FEWEST = 2


def curve(
    runs: Sequence[PastRun],
    value: Callable[[PastRun], float],
    what: str,
    shown: Callable[[float], str],
) -> Html | None:
    """Draw a value of the good runs among `runs`, newest first; None if there are too few.

    The curve begins at zero, so that what shrinks is seen to. Runs that failed are marks below it.
    `what` and `shown` say in words what it shows, for those who do not see it.
    """
    placed = [(_EDGE + at * _step(len(runs)), run) for at, run in enumerate(reversed(runs))]
    good = [(x, value(run)) for x, run in placed if run.is_good and value(run) > 0]
    if len(good) < _FEWEST:
        return None
    highest = max(number for _, number in good)
    points = " ".join(f"{x:.1f},{_y(number / highest):.1f}" for x, number in good)
    failed = [x for x, run in placed if not run.is_good]
    marks = "".join(f"M{x:.1f} {_HEIGHT}v-{_TICK}" for x in failed)
    label = (
        f"{what} of the last {len(good)} good runs, from {shown(good[0][1])}"
        f" to {shown(good[-1][1])}, at most {shown(highest)}"
    )
    if failed:
        label += f"; {len(failed)} failed"
    return element(
        "svg",
        element("polyline", attributes={"points": points}),
        element("path", attributes={"d": marks}) if marks else None,
        attributes={"viewBox": f"0 0 {_WIDTH} {_HEIGHT}", "role": "img", "aria-label": label},
    )


def _step(count: int) -> float:
    return (_WIDTH - 2 * _EDGE) / max(count - 1, 1)


def _y(share: float) -> float:
    return _HEIGHT - _TICK - _EDGE - share * (_HEIGHT - _TICK - 2 * _EDGE)
