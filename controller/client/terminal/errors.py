"""How the user's verbs fail: one line on stderr, and an exit code that says whose turn it is."""

import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import Any, NoReturn

import click

from controller.kube.client import ForbiddenError, KubeError, NotFoundError, UnavailableError
from dumpers.runtime.errors import ConfigurationError, KsnapshotError

# Set to anything, it shows the traceback of an internal error.
DEBUG = "KSNAPSHOT_DEBUG"


class Exit(IntEnum):
    """Exit codes of the user's verbs; a verb that follows a run ends with the run's own code.

    Those of runs (dumpers.runtime.errors.ExitCode) from 10 on are free of these.
    """

    DONE = 0
    FAILED = 1
    USAGE = 2
    NOT_FOUND = 3
    FORBIDDEN = 4
    UNREACHABLE = 5
    REFUSED = 6
    DETACHED = 130


class CommandError(click.ClickException):
    """Ends a verb with a sentence for a person: what is wrong, and what to do about it."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.exit_code = int(code)  # type: ignore[misc]  # click reads it from the instance

    def show(self, file: Any = None) -> None:
        """Write the one line."""
        click.echo(f"error: {self.format_message()}", err=True, file=file)


def failed(error: KsnapshotError, consequence: str = "") -> CommandError:
    """A failure on this machine as a verb ends with it, by its own exit code.

    `consequence` says what is left.
    """
    made = CommandError(f"{error.reason}: {error}" + (f" ({consequence})" if consequence else ""))
    made.exit_code = int(error.exit_code)  # type: ignore[misc]  # click reads it from the instance
    return made


def worst_of(errors: Mapping[str, CommandError]) -> CommandError:
    """Errors of several storages, by their names, as one with the worst exit code."""
    made = CommandError("; ".join(f"{name}: {error.message}" for name, error in errors.items()))
    made.exit_code = max(error.exit_code for error in errors.values())  # type: ignore[misc]
    return made


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn every failure inside into a CommandError."""
    try:
        yield
    except click.exceptions.NoArgsIsHelpError:
        raise
    except click.UsageError as error:
        path = error.ctx.command_path if error.ctx else "ksnapshot"
        why = error.format_message().rstrip(".")
        raise CommandError(f"{why} (see `{path} --help`)", Exit.USAGE) from error
    except KubeError as error:
        raise CommandError(str(error), _code_of(error)) from error
    except ConfigurationError as error:
        raise CommandError(str(error)) from error


class VerbCommand(click.Command):
    """A verb of the user's command: a fault of ours is one line, too, unless DEBUG is set."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        try:
            with one_line_errors():
                return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort, BrokenPipeError):
            raise
        except KeyboardInterrupt:
            _leave_at_once(Exit.DETACHED)
        except Exception as error:
            if os.environ.get(DEBUG):
                raise
            last = traceback.extract_tb(error.__traceback__)[-1]
            place = f"{type(error).__name__} at {Path(last.filename).name}:{last.lineno}"
            raise CommandError(
                f"internal error ({place}): please report it, with what {DEBUG}=1 shows"
            ) from error


def _leave_at_once(code: Exit) -> NoReturn:
    """End the process, all that was open being closed.

    A thread may still wait for a store that does not answer. Where it wakes within a compiled
    library while Python ends, it would take the process with it.
    """
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
    os._exit(code)


def _code_of(error: KubeError) -> Exit:
    codes = {
        NotFoundError: Exit.NOT_FOUND,
        ForbiddenError: Exit.FORBIDDEN,
        UnavailableError: Exit.UNREACHABLE,
    }
    return codes.get(type(error), Exit.FAILED)
