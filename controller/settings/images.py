"""The images of the dumpers as settings, and how they are pulled."""

from enum import StrEnum

from controller.settings.setting import Setting
from dumpers.engines.registry import ENGINES
from dumpers.runtime.version import VERSION


class PullPolicy(StrEnum):
    """Kubernetes' own values of imagePullPolicy."""

    ALWAYS = "Always"
    IF_NOT_PRESENT = "IfNotPresent"
    NEVER = "Never"


IMAGES: tuple[Setting, ...] = tuple(
    Setting(
        env=image.setting,
        chart=image.chart,
        default=f"{image.repository}:{VERSION}",
        help=f"Dumper image for {' '.join((engine.title, *image.versions[:1]))}.",
    )
    for engine in ENGINES
    for image in engine.images
)
