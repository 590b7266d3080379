"""Reads variables of an environment and collects every fault of them."""

import re
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field

from dumpers.runtime.errors import ConfigurationError

# A key with the line end of `echo | base64` breaks in ways that show the key.
_OWN_PREFIXES = ("BACKEND_", "ENCRYPTION_", "KSNAPSHOT_", "HOSTNAME")
_POSITIVE = re.compile(r"[1-9][0-9]{0,8}")


@dataclass(frozen=True, slots=True)
class EnvReader:
    """Reads one variable at a time; `faults` collects what is wrong, each with its variable's name.

    A value at fault is returned as if the variable were unset, so that reading goes on. An empty
    variable counts as unset: a Kubernetes API server drops empty values.
    """

    env: Mapping[str, str]
    faults: list[str] = field(default_factory=list)

    def check_text(self, *, logins: Container[str], with_lines: Container[str]) -> None:
        """Find values that are no text, in a login, or do not print, in a variable of ours.

        `with_lines` are variables of ours whose values have line ends. Those of a job's further
        storages are looked at where they are read.
        """
        for name, value in self.env.items():
            # Neither fault shows the value: it may be a secret.
            if name in logins and not _is_unicode(value):
                self.faults.append(
                    f"{name} is not UTF-8: such a value cannot travel by environment"
                )
            elif name.startswith(_OWN_PREFIXES) and name not in with_lines:
                self.check_prints(name)

    def check_prints(self, name: str) -> None:
        """Find a value that does not print; told once, however often it is asked."""
        fault = (
            f"{name} holds a character that does not print, such as a line end: write the value "
            "without it"
        )
        if not self.text(name).isprintable() and fault not in self.faults:
            self.faults.append(fault)

    def text(self, name: str) -> str:
        """A variable's value; empty if it is not set."""
        return self.env.get(name, "")

    def required(self, name: str, what: str) -> str:
        """A value that must be set; `what` says in words what it holds."""
        value = self.text(name)
        if not value:
            self.faults.append(f"{name} is not set: it must hold {what}")
        return value

    def positive(self, name: str) -> int | None:
        """A whole number above 0; None if it is not set."""
        value = self.text(name)
        if not value:
            return None
        if not _POSITIVE.fullmatch(value):
            self.faults.append(f"{name} is {value[:20]!r}: it must be a whole number above 0")
            return None
        return int(value)

    def switch(self, name: str) -> bool:
        """Whether it is `true`; `false` is the other word, and what is not set counts as that."""
        return self.choice(name, ("", "true", "false"), "true or false") == "true"

    def choice(self, name: str, words: Sequence[str], what: str) -> str:
        """One of `words`, of which the first stands for what is not set; `what` names them."""
        value = self.text(name) or words[0]
        if value in words:
            return value
        self.faults.append(f"{name} is {value[:20]!r}: it must be {what}")
        return words[0]

    def check(self) -> None:
        """Raise ConfigurationError, which names every fault at once, if there are any."""
        if self.faults:
            raise ConfigurationError(*self.faults)


def _is_unicode(text: str) -> bool:
    """Tell whether a variable's bytes were UTF-8; surrogates stand for those that were not."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
