"""The settings of which namespaces are watched: named ones, or all that a selector fits."""

import re
from dataclasses import dataclass

from controller.settings import parsers
from controller.settings.setting import setting_field
from dumpers.contract.recipients import holds_private_key

# Stands for every namespace but the control namespace.
ALL = "*"
_PREFIX = r"(?:[a-z0-9](?:[-a-z0-9.]{0,251}[a-z0-9])?/)?"
_NAME = r"[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_KEY = f"{_PREFIX}{_NAME}"
_VALUE = f"(?:{_NAME})?"
# https://kubernetes.io/docs/concepts/overview/working-with-objects/labels/#label-selectors
_REQUIREMENT = re.compile(
    rf"\s*(?:!\s*{_KEY}|{_KEY}(?:\s*(?:==?|!=)\s*{_VALUE}"
    rf"|\s+(?:in|notin)\s*\(\s*{_VALUE}(?:\s*,\s*{_VALUE})*\s*\))?)\s*"
)


def watched_namespaces(text: str) -> tuple[str, ...]:
    """Namespaces, separated by commas, at least one; each is listed once. `*` alone is all."""
    listed = tuple(dict.fromkeys(item for item in map(str.strip, text.split(",")) if item))
    if not listed:
        raise ValueError("must name at least one namespace, separated by commas")
    if listed == (ALL,):
        return listed
    if ALL in listed:
        raise ValueError("must be * alone, for all namespaces, or names without it")
    return tuple(parsers.label(item) for item in listed)


def label_selector(text: str) -> str:
    """A selector by labels in Kubernetes' words, such as `team=shop,stage notin (test)`."""
    place = len(text) + 1 if holds_private_key(text) else 0
    while found := _REQUIREMENT.match(text, place):
        if found.end() == len(text):
            return text.strip()
        if text[found.end()] != ",":
            break
        place = found.end() + 1
    raise ValueError("must be a selector by labels, such as team=shop,stage notin (test)")


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSettings:
    """The part of Settings that says where workloads are looked for."""

    watch_namespaces: tuple[str, ...] = setting_field(
        env="WATCH_NAMESPACES",
        chart="rbac.watchNamespaces",
        default="",
        help="Namespaces whose workloads are backed up, separated by commas; `*` alone: all.",
        read=watched_namespaces,
    )
    watch_selector: str = setting_field(
        env="WATCH_NAMESPACE_SELECTOR",
        chart="watchNamespaceSelector",
        default="",
        help="With `*`: only namespaces whose labels this selector fits.",
        read=label_selector,
    )

    @property
    def watches_all(self) -> bool:
        """Whether namespaces are found by a list, and not named."""
        return self.watch_namespaces == (ALL,)
