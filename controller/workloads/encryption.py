"""Whom a workload's dumps are encrypted to: by its annotations, or as the operator says."""

from controller.model.status import Reason, RejectedError
from controller.workloads.annotations import (
    ENCRYPTION_ENABLED,
    ENCRYPTION_RECIPIENT,
    TRUE,
    RequestInput,
)
from dumpers.contract.recipients import PRIVATE_KEY, holds_private_key


def recipient_of(given: RequestInput) -> str:
    """The age recipients of a workload's dumps, empty without encryption; may be rejected."""
    values, settings = given.values, given.settings
    if settings.encryption_enforced:
        # A typo in what is ignored stops no backup, but a leaked private key has to be heard of.
        if holds_private_key(ENCRYPTION_RECIPIENT.text(values)):
            raise ENCRYPTION_RECIPIENT.invalid(values, PRIVATE_KEY)
        return settings.encryption_recipient
    own = ENCRYPTION_RECIPIENT.value(values)
    is_set, is_on = ENCRYPTION_ENABLED.name in values, ENCRYPTION_ENABLED.text(values) == TRUE
    if not (is_on if is_set else settings.encryption_enabled):
        return ""
    recipient = own or settings.encryption_recipient
    if not recipient:
        raise RejectedError(
            Reason.RECIPIENT_MISSING,
            f"encryption is on, but neither the annotation {ENCRYPTION_RECIPIENT.name} "
            "nor the operator names a recipient",
        )
    return recipient


def is_overruled(given: RequestInput) -> bool:
    """Whether the annotations ask for other encryption than the operator enforces."""
    values = given.values
    is_off = ENCRYPTION_ENABLED.name in values and ENCRYPTION_ENABLED.text(values) != TRUE
    asks_otherwise = is_off or bool(ENCRYPTION_RECIPIENT.text(values))
    return given.settings.encryption_enforced and asks_otherwise
