"""What a sidecar counts, in Prometheus' words."""

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

COMMANDS = (
    *("create", "upload", "download", "restore", "create_remote", "restore_remote"),
    *("delete", "rebase", "rebalance"),
)
_PARTS = {"create_remote": ("create", "upload"), "restore_remote": ("download", "restore")}
_FAILED, _SUCCESS, _UNKNOWN = 0, 1, 2


@dataclass(slots=True, kw_only=True)
class Metrics:
    """Of one process; a new one knows of nothing."""

    values: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for command in COMMANDS:
            for name in ("successful_{}s", "failed_{}s", "last_{}_start", "last_{}_finish"):
                self.values[name.format(command)] = 0
            self.values[f"last_{command}_duration"] = 0
            self.values[f"last_{command}_status"] = _UNKNOWN
        self.values["in_progress_commands"] = 0

    @contextlib.contextmanager
    def measured(self, command: str) -> Iterator[None]:
        """Counts one operation, and the two that it is made of."""
        if command not in COMMANDS:
            yield
            return
        names, began = (command, *_PARTS.get(command, ())), time.time()
        self.values["in_progress_commands"] += 1
        status = _FAILED
        try:
            yield
            status = _SUCCESS
        finally:
            self.values["in_progress_commands"] -= 1
            for name in names:
                self.values[f"last_{name}_start"] = int(began)
                self.values[f"last_{name}_finish"] = int(time.time())
                self.values[f"last_{name}_duration"] = (time.time() - began) * 1e9
                self.values[f"last_{name}_status"] = status
                self.values[f"{'successful' if status else 'failed'}_{name}s"] += 1

    def text(self, more: dict[str, float]) -> str:
        """The exposition, with what the lists of backups tell besides."""
        lines = []
        for name, value in sorted((self.values | more).items()):
            kind = "counter" if name.startswith(("successful_", "failed_")) else "gauge"
            lines += [f"# TYPE clickhouse_backup_{name} {kind}"]
            lines += [f"clickhouse_backup_{name} {value:g}"]
        return "\n".join(lines) + "\n"
