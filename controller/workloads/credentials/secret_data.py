"""Texts of the Secrets and ConfigMaps that a workload refers to; RejectedError if not known."""

import base64
import binascii
from collections.abc import Callable, Mapping

from controller.model.kinds import CONFIG_MAP, SECRET
from controller.model.objects import ObjectRef
from controller.model.status import ReadFailure, Reason, RejectedError
from controller.model.view import SecretData

SecretDataByRef = Mapping[ObjectRef, SecretData | ReadFailure | None]

_DECODERS: Mapping[str, Callable[[str], str]] = {
    SECRET: lambda value: base64.b64decode(value, validate=True).decode(),
    CONFIG_MAP: str,
}


def content_of(ref: ObjectRef, contents: SecretDataByRef, *, optional: bool) -> SecretData | None:
    """The object's data; None only for an optional object that surely does not exist."""
    found = contents.get(ref)
    if found is None and ref not in contents:
        raise RejectedError(Reason.UNAVAILABLE, f"{ref} was not read")
    if isinstance(found, ReadFailure):
        raise RejectedError(found.reason, found.message + _missing_right(ref, found))
    if found is None and not optional:
        raise RejectedError(Reason.CREDENTIAL_SOURCE_MISSING, f"{ref} does not exist")
    return found


def _missing_right(ref: ObjectRef, failure: ReadFailure) -> str:
    """Which right a forbidden read lacks, and where to give it; empty for other failures."""
    if failure.reason is not Reason.FORBIDDEN:
        return ""
    return (
        f": the controller may not get the {ref.kind} {ref.name}: add that name to rbac.readNames"
        " where it lists this namespace, or give its Role the right"
    )


def text_of(ref: ObjectRef, key: str, content: SecretData) -> str:
    """The decoded text under a key that the object has."""
    try:
        return checked(_DECODERS[ref.kind](content.data[key]), f"{key} of {ref}")
    except (UnicodeDecodeError, binascii.Error):
        # From None: the decoder's error holds the bytes, which must not be shown.
        raise not_text(f"{key} of {ref}") from None


def checked(text: str, what: str) -> str:
    """Return the text; RejectedError where no variable can hold it. `what` names it."""
    try:
        text.encode()
    except UnicodeEncodeError:
        # Half a surrogate pair. From None: the encoder's error holds the text.
        raise not_text(what) from None
    if "\0" in text:
        raise not_text(what)
    return text


def not_text(what: str) -> RejectedError:
    """The error for a value that cannot travel by environment; it does not show the value."""
    return RejectedError(
        Reason.CREDENTIAL_NOT_TEXT,
        f"{what} is not UTF-8 text without NUL bytes, so no variable can hold it",
    )
