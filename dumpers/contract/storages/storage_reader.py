"""Reads the variables of one storage."""

from dataclasses import dataclass

from dumpers.contract.env_reader import EnvReader
from dumpers.contract.storages.variables import WITH_LINES, named_variable


@dataclass(frozen=True, slots=True)
class StorageReader:
    """Reads the variables of one storage; an empty name stands for a job's first one.

    Faults are those of `env`, with the variable's own name.
    """

    env: EnvReader
    storage: str

    def name(self, variable: str) -> str:
        """What a variable is called for this storage."""
        return named_variable(variable, self.storage) if self.storage else variable

    def text(self, variable: str) -> str:
        """A variable's value; empty if it is not set.

        Those of the first storage were looked at together with all else of the job.
        """
        name = self.name(variable)
        if self.storage and variable not in WITH_LINES:
            self.env.check_prints(name)
        return self.env.text(name)

    def fault(self, variable: str, fault: str) -> None:
        """Add a fault, whose words follow the variable's name."""
        self.env.faults.append(f"{self.name(variable)} {fault}")
