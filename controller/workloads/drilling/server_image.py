"""Which image a drill's throwaway server has: one of the operator's, or the workload's own."""

import re
from collections.abc import Iterable
from functools import lru_cache

from controller.model.status import Reason, Rejected
from controller.settings.drilling import PLACEHOLDER
from controller.settings.settings import Settings
from dumpers.contract.engine_spec import EngineSpec

_VERSION = re.compile(
    r"(?:(?P<flavour>[A-Za-z]+) )?(?P<version>(?P<major>\d+)(?:\.(?P<minor>\d+))?[\w.-]*)"
)
_DOCKER = "docker.io"
_OFFICIAL = f"{_DOCKER}/library"


def choose_image(
    engine: EngineSpec, own: str, server_version: str, settings: Settings
) -> str | Rejected:
    """The image of the throwaway server, or why there is none.

    `own` is the image of the workload's database, empty where it is not known. `server_version` is
    as a dump's result has it, empty before the first one. A rejection for `Annotated` heals by
    itself.
    """
    parts = _VERSION.match(server_version)
    flavour = (parts["flavour"] or "").lower() if parts else ""
    images = settings.drill_images
    if pattern := images.get(flavour) or images.get(engine.type):
        return _filled(pattern, parts)
    if not own:
        why = "its own image is not known"
    elif is_allowed(own, settings.drill_allowed_images):
        # No node may read another registry into it than the patterns and the admission policy do.
        return full_name(own)
    else:
        why = f"its own image {own} is none of drill.allowedImages"
    return Rejected(
        Reason.DRILL_IMAGE_MISSING,
        f"it is not drilled: drill.images names no image for {flavour or engine.type}, and {why}",
    )


def _filled(pattern: str, parts: re.Match[str] | None) -> str | Rejected:
    """The image of the operator for a server of this version, or why that is not known."""
    wanted = set(PLACEHOLDER.findall(pattern))
    if wanted and parts is None:
        why = "it is drilled once a backup has told the version of its server"
        return Rejected(Reason.ANNOTATED, why)
    found = {name: text or "" for name, text in parts.groupdict().items()} if parts else {}
    if lacking := sorted(name for name in wanted if not found.get(name)):
        return Rejected(
            Reason.DRILL_IMAGE_MISSING,
            f"it is not drilled: drill.images asks for {{{lacking[0]}}} in {pattern}, "
            f"and its server is of version {found['version']}",
        )
    return PLACEHOLDER.sub(lambda place: found[place[1]], pattern)


def is_allowed(image: str, patterns: Iterable[str]) -> bool:
    """Whether the full name of an image matches a pattern, in which `*` stands for anything."""
    name = full_name(image)
    return any(_compiled(pattern).fullmatch(name) for pattern in patterns)


# Asked of every workload in every pass.
@lru_cache(maxsize=256)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))))


def full_name(image: str) -> str:
    """The name of an image with registry and tag, as containerd completes it."""
    registry, slash, rest = image.partition("/")
    if not slash:
        return with_tag(f"{_OFFICIAL}/{image}")
    if registry == _DOCKER and "/" not in rest:
        return with_tag(f"{_OFFICIAL}/{rest}")
    if registry == "localhost" or "." in registry or ":" in registry:
        return with_tag(image)
    return with_tag(f"{_DOCKER}/{image}")


def with_tag(image: str) -> str:
    """The image with the tag that it has by default, where it has neither tag nor digest."""
    last = image.rpartition("/")[2]
    return image if ":" in last or "@" in last else f"{image}:latest"
