"""Posts messages as JSON to the URL of the mounted Secret."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from pathlib import Path

import urllib3
from urllib3.exceptions import HTTPError, LocationValueError

from controller.report.notifications.delivery import DeliveryError, read_key
from controller.report.notifications.messages import Message, webhook_body
from controller.settings.settings import Settings
from dumpers.runtime.version import VERSION

URL_KEY, AUTHORIZATION_KEY = "webhook-url", "webhook-authorization"
TIMEOUT_SECONDS = 15.0
_SCHEMES = ("http://", "https://")
_LATER = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_EARLY, HTTPStatus.TOO_MANY_REQUESTS})


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    """Sends to one URL; `timeout` is in seconds, for one try."""

    folder: Path
    settings: Settings
    clock: Callable[[], datetime]
    timeout: float = TIMEOUT_SECONDS
    pool: urllib3.PoolManager = field(default_factory=urllib3.PoolManager, repr=False)

    def __call__(self, message: Message) -> bool:
        """See Deliver. A redirect is not followed: the body is for who was named."""
        url = read_key(self.folder, URL_KEY)
        if not url:
            return False
        if not url.lower().startswith(_SCHEMES):
            why = f"the URL in {URL_KEY} begins with neither http:// nor https://"
            raise DeliveryError(why, may_heal=False)
        headers = {"Content-Type": "application/json", "User-Agent": f"ksnapshot/{VERSION}"}
        if authorization := read_key(self.folder, AUTHORIZATION_KEY):
            headers["Authorization"] = authorization
        status = self._post(url, webhook_body(message, self.settings, self.clock()), headers)
        if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            return True
        may_heal = status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _LATER
        raise DeliveryError(f"the webhook answers {status}", may_heal=may_heal)

    def _post(self, url: str, body: bytes, headers: dict[str, str]) -> int:
        """Post, and return the answer's code; nothing of the answer's body is read.

        Every error of the library has the URL in its text, so only its kind is told.
        """
        try:
            response = self.pool.request(
                "POST",
                url,
                body=body,
                headers=headers,
                timeout=urllib3.Timeout(total=self.timeout),
                retries=False,
                redirect=False,
                preload_content=False,
            )
        except (LocationValueError, ValueError) as error:
            why = f"{URL_KEY} or {AUTHORIZATION_KEY} cannot be used: {type(error).__name__}"
            raise DeliveryError(why, may_heal=False) from None
        except (HTTPError, OSError) as error:
            why = f"the webhook does not answer: {type(error).__name__}"
            raise DeliveryError(why, may_heal=True) from None
        response.close()
        return response.status
