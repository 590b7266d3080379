"""Asks a person before something is done that cannot be undone by itself."""

import click

from controller.client.terminal.errors import CommandError, Exit


def confirm(question: str, *, otherwise: str) -> None:
    """Ask, and go on at a yes; CommandError with `otherwise` at a no, and where nobody answers."""
    try:
        click.confirm(question, abort=True)
    except click.Abort as error:
        raise CommandError(f"nothing was changed: {otherwise}", Exit.REFUSED) from error
