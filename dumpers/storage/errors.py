"""Answers of a store that a caller can react to."""

from dumpers.runtime.errors import StorageFailedError, StorageRefusedError


class ForbiddenByStoreError(StorageRefusedError):
    """The keys are right, but this call is not granted to them."""


class SignatureRefusedError(ForbiddenByStoreError):
    """The signature does not fit: the keys are wrong, or a header that it covers was altered."""


class AlreadyThereError(StorageRefusedError):
    """An object that must not exist yet does."""


class UnknownToStoreError(StorageRefusedError):
    """The store does not know an optional feature that the request used."""


class StoreAwayError(StorageFailedError):
    """The store is away, overloaded, or got a request damaged: the same call may go well later."""
