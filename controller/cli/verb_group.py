"""The group of all verbs, which loads a verb's module only when that verb is used.

So help and completion cost a tenth of a second, and a verb that needs more than Python and click
does not get in the way of the others.
"""

import difflib
import importlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import click
from click.shell_completion import CompletionItem

from controller.client.terminal.errors import CommandError, Exit, one_line_errors


@dataclass(frozen=True, slots=True, kw_only=True)
class Verb:
    """Where a verb's command is, `package.module:name`, and its help in one line.

    `needs` are packages that are not part of every installation.
    """

    place: str
    help: str
    needs: tuple[str, ...] = ()


class VerbGroup(click.Group):
    """A group of verbs by their names."""

    def __init__(self, *args: Any, verbs: Mapping[str, Verb], **options: Any) -> None:
        super().__init__(*args, **options)
        self.verbs = verbs

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click gives it
        """List the verbs in the order of their table."""
        return list(self.verbs)

    def get_command(
        self,
        ctx: click.Context,  # noqa: ARG002  click gives it
        cmd_name: str,
    ) -> click.Command | None:
        """Load a verb; None where there is none of that name."""
        verb = self.verbs.get(cmd_name)
        if verb is None:
            return None
        module, _, name = verb.place.partition(":")
        try:
            command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if (error.name or "").partition(".")[0] not in verb.needs:
                raise
            missing = ", ".join(verb.needs)
            raise CommandError(
                f"`{cmd_name}` needs Python packages that are not installed here ({missing}): pip"
                " install 'ksnapshot[controller]', or run it in the controller's pod"
            ) from error
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that is meant; raises CommandError that suggests others."""
        name = args[0]
        if name not in self.verbs and not name.startswith("-"):
            near = difflib.get_close_matches(name, self.verbs, n=3)
            meant = f"; did you mean {' or '.join(near)}?" if near else ""
            raise CommandError(f"there is no verb {name!r}{meant}", Exit.USAGE)
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **options: Any) -> click.Context:
        """Read the options before the verb."""
        with one_line_errors():
            return super().make_context(*args, **options)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        with one_line_errors():
            return super().invoke(ctx)

    def format_commands(
        self,
        ctx: click.Context,  # noqa: ARG002  click gives it
        formatter: click.HelpFormatter,
    ) -> None:
        """Write the table of verbs."""
        with formatter.section("Verbs"):
            formatter.write_dl([(name, verb.help) for name, verb in self.verbs.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a verb's name."""
        verbs = [
            CompletionItem(name, help=verb.help)
            for name, verb in self.verbs.items()
            if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)
