"""Backups that are offered without a cluster: as the jobs offer them, in this process."""

import queue
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from typing import Any

from controller.client.fetch.http import Target, say_done
from controller.client.keys.age_library import AgeLibrary
from dumpers.cli.clock import now
from dumpers.contract.fetch.jobs import FetchJob
from dumpers.contract.fetch.offer import DONE, Offer
from dumpers.contract.fetch.sealed import Lines, unpack
from dumpers.runs.fetch.presign import presign
from dumpers.runs.fetch.send import send
from dumpers.runtime.interrupt import Interrupt

Env = Mapping[str, str]


class ByUrl:
    """A backup by presigned URLs; `renewals` counts how often new ones were wanted."""

    def __init__(self, env: Env) -> None:
        self._env = env
        self.renewals = 0
        self.offer = self._ask()

    def _ask(self) -> Offer:
        identity, recipient = AgeLibrary().new_identity()
        job = FetchJob.from_env({**self._env, "KSNAPSHOT_REPLY_TO": recipient})
        lines, result = presign(job, interrupt=Interrupt(), now=now)
        assert result.succeeded
        return unseal(lines, identity)

    def target(self, place: int) -> Target:
        return Target(url=self.offer.objects[place].place, ca=self.offer.ca)

    def renew(self) -> None:
        self.renewals += 1
        self.offer = self._ask()

    def close(self) -> None:
        """Do nothing."""


class Sent:
    """A backup that a job sends, which listens on this host's loopback."""

    def __init__(self, offer: Offer) -> None:
        self.offer = offer

    def target(self, place: int) -> Target:
        return self.at(self.offer.objects[place].place)

    def at(self, path: str) -> Target:
        headers = {"Authorization": f"Bearer {self.offer.token}"}
        url = f"http://127.0.0.1:{self.offer.port}{path}"
        return Target(url=url, headers=headers, is_local=True)

    def renew(self) -> None:
        raise AssertionError("nothing was refused")

    def close(self) -> None:
        """Do nothing."""


def unseal(lines: Iterator[str], identity: str) -> Offer:
    """What only the holder of the key can read."""
    heard = Lines()
    for line in lines:
        heard.add(line)
    assert heard.message is not None
    with AgeLibrary().decrypting(identity, Interrupt())(BytesIO(heard.message)) as reader:
        packed = b"".join(iter(reader.read, b""))
    return Offer.from_json(unpack(packed))


@contextmanager
def sending(env: Env, **options: Any) -> Iterator[Sent]:
    """A job that sends, until it is told that all is fetched."""
    identity, recipient = AgeLibrary().new_identity()
    job = FetchJob.from_env({**env, "KSNAPSHOT_REPLY_TO": recipient})
    told: queue.Queue[Iterator[str]] = queue.Queue()
    ended: queue.Queue[object] = queue.Queue()

    def work() -> None:
        try:
            ended.put(send(job, interrupt=Interrupt(60), now=now, tell=told.put, **options))
        except BaseException as error:  # noqa: BLE001  it is the test's
            ended.put(error)

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    sent = Sent(unseal(told.get(timeout=30), identity))
    try:
        yield sent
    finally:
        say_done(sent.at(DONE))
        thread.join(30)
        assert not thread.is_alive()
    end = ended.get_nowait()
    if isinstance(end, BaseException):
        raise end
