"""Which share of the backups each run of a scheduled verification reads: `n/m`.

In the words of restic's `check --read-data-subset=n/t`.
"""

import re
from dataclasses import dataclass

_FORM = re.compile(r"\s*([0-9]{1,6})\s*/\s*([0-9]{1,6})\s*", re.ASCII)
_SHOWN = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """`parts` of `of` equal parts of all stored bytes; 1 ≤ parts ≤ of."""

    parts: int
    of: int

    def __str__(self) -> str:
        """The share as it is written."""
        return f"{self.parts}/{self.of}"


def parse_sample(text: str) -> Sample:
    """Read `n/m`; ValueError says what is wrong, and what to write."""
    found = _FORM.fullmatch(text)
    shown = repr(text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…")
    if found is None:
        raise ValueError(
            f"is {shown}: it must be a share of the backups as n/m, such as 1/7 for a seventh of "
            "them in each run"
        )
    sample = Sample(parts=int(found[1]), of=int(found[2]))
    if not 1 <= sample.parts <= sample.of:
        raise ValueError(f"is {shown}: of n/m, n must be at least 1, and at most m")
    return sample
