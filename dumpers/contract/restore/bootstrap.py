"""The new workload that a restore is the beginning of, as the job's variable BOOTSTRAP has it."""

import json
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Bootstrap:
    """A workload that is restored once, before its first own backup.

    `cronjob` is its own, `owner` the uid of what owns its pods, empty where that is not known,
    `asked` what its annotation says. Each is restored once: another owner is another workload.
    """

    cronjob: str
    owner: str
    asked: str

    def to_json(self) -> str:
        """Compact JSON."""
        return json.dumps(asdict(self), ensure_ascii=False, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> "Bootstrap":
        """Read it; ValueError says what is wrong."""
        try:
            members = json.loads(text)
            found = cls(**members)
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError("it is no JSON object with cronjob, owner and asked") from error
        if not found.cronjob or not all(isinstance(item, str) for item in members.values()):
            raise ValueError("its members are texts, and cronjob is not empty")
        return found
