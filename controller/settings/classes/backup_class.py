"""A class of backups as the operator sets it: values beneath annotations, and who may use it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassDefault:
    """Which workloads have a class without naming it.

    `namespaces` holds patterns, empty for all namespaces that may use the class; `labels`, where
    there are any, must all be those of the workload.
    """

    namespaces: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)

    def is_for(self, namespace: str) -> bool:
        """Whether workloads of a namespace may be meant."""
        return not self.namespaces or matches(namespace, self.namespaces)


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupClass:
    """A class: `values` of annotations by their keys, without the prefix.

    `namespaces` holds the patterns of those that may use it, empty for all of them. `allow` are the
    keys of annotations that a workload of the class may set itself, besides those that are always
    its own. `default` is None where only the annotation `class` gives the class to a workload.
    """

    name: str
    values: Mapping[str, str] = field(repr=False)
    namespaces: tuple[str, ...] = ()
    allow: frozenset[str] = frozenset()
    default: ClassDefault | None = None

    def is_for(self, namespace: str) -> bool:
        """Whether workloads of a namespace may use the class."""
        return not self.namespaces or matches(namespace, self.namespaces)

    def is_default_for(self, namespace: str, labels: Mapping[str, str]) -> bool:
        """Whether a workload with these labels has the class without naming it."""
        default = self.default
        return (
            default is not None
            and self.is_for(namespace)
            and default.is_for(namespace)
            and default.labels.items() <= labels.items()
        )


def matches(namespace: str, patterns: tuple[str, ...]) -> bool:
    """Whether one of the patterns, in which `*` stands for any characters, fits a namespace."""
    return any(fnmatchcase(namespace, pattern) for pattern in patterns)
