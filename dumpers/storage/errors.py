"""Answers of a store that a caller can react to."""

from dumpers.runtime.errors import StorageFailedError, StorageRefusedError


class ForbiddenByStoreError(StorageRefusedError):
    """The keys are right, but this call is not granted to them."""


class SignatureRefusedError(ForbiddenByStoreError):
    """The signature does not fit: the keys are wrong, or a header that it covers was altered."""


class AlreadyThereError(StorageRefusedError):
    """An object that must not exist yet does."""


class ChangedInStoreError(StorageRefusedError):
    """An object that was to be replaced is another one by now, or gone."""


class UnknownToStoreError(StorageRefusedError):
    """The store does not know an optional feature that the request used."""


class StoreAwayError(StorageFailedError):
    """The store is away, overloaded, or got a request damaged: the same call may go well later.

    `retry_after` is for how many seconds the store asks to be left alone, 0 where it does not say.
    """

    def __init__(self, text: str, *, retry_after: float = 0.0) -> None:
        super().__init__(text)
        self.retry_after = retry_after
