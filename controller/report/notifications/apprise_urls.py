"""Hands messages to the services of the apprise URLs in the mounted Secret."""

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenacity import wait_incrementing

from controller.report.notifications.delivery import DeliveryError, read_key
from controller.report.notifications.messages import Message
from controller.settings.choices import Occasion

URLS_KEY = "apprise-urls"
# apprise says neither why a URL failed nor which of its recipients have the message: each further
# try may send it to some of them again, and may be in vain. Over half a minute these pauses outlast
# the restart of a service, and a hundred messages with a wrong token are through within the hour.
TRIES = 3
WAIT = wait_incrementing(start=10, increment=10)
_TYPES = {
    Occasion.FAILURE: "failure",
    Occasion.RECOVERY: "success",
    Occasion.OVERDUE: "warning",
}


@dataclass(slots=True, kw_only=True)
class AppriseUrls:
    """Sends to every URL, one a line; a message that is tried again goes only where it is due.

    `_sent` are the URLs that have `_message` already.
    """

    folder: Path
    _message: Message | None = field(default=None, init=False, repr=False)
    _sent: set[str] = field(default_factory=set, init=False, repr=False)

    def __call__(self, message: Message) -> bool:
        """See Deliver."""
        lines = map(str.strip, read_key(self.folder, URLS_KEY).splitlines())
        urls = [line for line in lines if line and not line.startswith("#")]
        if not urls:
            return False
        if message is not self._message:
            self._message, self._sent = message, set()
        service = _library()
        unknown, failed = [], []
        for place, url in enumerate(urls, start=1):
            if url in self._sent:
                continue
            # Without these two it sends from a pool of threads, for which the process's end waits.
            asset = service.AppriseAsset(async_mode=False, service_timeout=0)
            box = service.Apprise(asset=asset)
            # Both log the URL where they fail, which _library has silenced.
            if not box.add(url):
                unknown.append(str(place))
            elif box.notify(
                title=message.title,
                body=message.text,
                notify_type=_TYPES[message.occasion],
                body_format="text",
            ):
                self._sent.add(url)
            else:
                failed.append(str(place))
        self._judge(unknown, failed, of=len(urls))
        return True

    def _judge(self, unknown: list[str], failed: list[str], *, of: int) -> None:
        """Raise DeliveryError where a URL did not take the message; URLs go by their line."""
        if failed:
            why = f"apprise could not send to URL {', '.join(failed)} of {of}"
            raise DeliveryError(why, may_heal=True)
        if unknown:
            why = f"URL {', '.join(unknown)} of {of} in {URLS_KEY} is none that apprise knows"
            raise DeliveryError(why, may_heal=False)


def _library() -> Any:
    """Import apprise, which is large and mostly not asked for, and keep it from logging URLs."""
    logger = logging.getLogger("apprise")
    logger.disabled = True
    try:
        import apprise  # noqa: PLC0415
    except ImportError:
        why = "apprise is not installed: the controller's image has it"
        raise DeliveryError(why, may_heal=False) from None
    return apprise
