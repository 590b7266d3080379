"""The reader's conversation with the client, from the offer to the verdict."""

import logging
from dataclasses import dataclass

from msgspec.structs import replace

from dumpers.runs.restore.exchange.channel import BrokenExchangeError, Channel, Kind
from dumpers.runs.restore.exchange.messages import (
    VERSION,
    Acknowledged,
    Hello,
    Message,
    Offer,
    Planned,
    Stop,
    Verdict,
    decode,
    encode,
    failed_verdict,
    state_of_target,
)
from dumpers.runs.restore.exchange.serving import Listener
from dumpers.runtime.errors import (
    ConfigurationError,
    InterruptedRunError,
    KsnapshotError,
    TargetFailedError,
    describe_failure,
)
from dumpers.runtime.interrupt import Interrupt
from dumpers.runtime.log import fields

_LOG = logging.getLogger(__name__)

# A pod is killed 30 s after SIGTERM; the record of the restore has the rest.
_LAST_ANSWER_SECONDS = 15.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """What the client said; `planned` is None where it did not come as far as a plan."""

    planned: Planned | None
    verdict: Verdict


def hear_out(
    listener: Listener, offer: Offer, *, interrupt: Interrupt, client_seconds: float
) -> Talk:
    """Offer the backup to the client and return what it planned, and its verdict.

    A client that ends without a verdict, and a run that has to stop, are verdicts, too: they say
    whether the target may be partial. TargetFailedError where no client comes in time.
    """
    channel, first = listener.wait_for_client(interrupt, seconds=client_seconds)
    if isinstance(first, Verdict):
        channel.send(Kind.MESSAGE, encode(Acknowledged()), interrupt)
        return Talk(planned=None, verdict=first)
    if not isinstance(first, Hello) or first.version != VERSION:
        raise ConfigurationError(
            "the two containers of the restore are of different versions: give both one image"
        )
    talking = _Talking(channel)
    try:
        channel.send(Kind.MESSAGE, encode(offer), interrupt)
        verdict = talking.wait_for_verdict(interrupt)
    except InterruptedRunError as error:
        verdict = talking.stop(error)
    except BrokenExchangeError as error:
        lost = TargetFailedError(
            "the container that loads the backup ended without a verdict (killed, out of memory?): "
            f"{talking.state}; see its log"
        )
        _LOG.debug("no verdict", extra=fields(why=str(error)))
        verdict = failed_verdict(lost, partial=talking.is_partial)
    return Talk(planned=talking.planned, verdict=verdict)


class _Talking:
    """A conversation that has begun."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self.planned: Planned | None = None

    @property
    def is_partial(self) -> bool:
        """Whether the client may have begun to change the target."""
        return self.planned is not None and not self.planned.plan_only

    @property
    def state(self) -> str:
        return state_of_target(partial=self.is_partial)

    def wait_for_verdict(self, interrupt: Interrupt) -> Verdict:
        """Receive what the client says until it is a verdict, and acknowledge that."""
        while True:
            message = self._receive(interrupt)
            if isinstance(message, Verdict):
                self._channel.send(Kind.MESSAGE, encode(Acknowledged()), interrupt)
                return message
            if isinstance(message, Planned):
                self.planned = message
                _log_plan(message)

    def stop(self, error: InterruptedRunError) -> Verdict:
        """Tell the client to stop, and return what it then says, or what is known without it.

        A client that was ended by that does not know why; its verdict gets this side's reason.
        """
        failure = describe_failure(error)
        stop = Stop(exit_code=failure.exit_code, reason=failure.reason, message=failure.message)
        last = Interrupt(_LAST_ANSWER_SECONDS, work="wait for the client", is_part=True)
        try:
            self._channel.send(Kind.MESSAGE, encode(stop), last)
            verdict = self.wait_for_verdict(last)
        except KsnapshotError:
            unknown = type(error)(
                f"{error}; the container that loads the backup gave no verdict: {self.state}"
            )
            return failed_verdict(unknown, partial=self.is_partial)
        is_stopped = verdict.reason == InterruptedRunError.reason
        return replace(verdict, reason=failure.reason) if is_stopped else verdict

    def _receive(self, interrupt: Interrupt) -> Message:
        kind, body = self._channel.receive(interrupt)
        try:
            if kind is Kind.MESSAGE:
                return decode(body)
        except ValueError:
            pass
        raise BrokenExchangeError("the container that loads the backup sends what is no message")


def _log_plan(planned: Planned) -> None:
    _LOG.info(
        "planned",
        extra=fields(
            target=planned.target,
            server_version=planned.server_version,
            actions=planned.actions,
            notes=planned.notes,
            bytes_total=planned.size,
            plan_only=planned.plan_only,
        ),
    )
