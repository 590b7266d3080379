import os
import socket
import threading
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dumpers.runs.restore.exchange.channel import BrokenExchangeError, Channel, Kind
from dumpers.runtime.errors import InterruptedRunError
from dumpers.runtime.interrupt import Interrupt

ALWAYS = Interrupt()


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, Channel]]:
    raw, other = socket.socketpair()
    with raw, Channel(other) as channel:
        yield raw, channel


@given(st.lists(st.tuples(st.sampled_from(Kind), st.binary(max_size=900)), max_size=8))
def test_frames_arrive_as_they_were_sent(frames: list[tuple[Kind, bytes]]) -> None:
    one, other = socket.socketpair()
    with Channel(one) as sender, Channel(other) as receiver:
        for kind, payload in frames:
            sender.send(kind, payload, ALWAYS)
        assert [receiver.receive(ALWAYS) for _ in frames] == frames


def test_a_frame_larger_than_any_buffer_arrives() -> None:
    one, other = socket.socketpair()
    payload = os.urandom(3 << 20)
    with Channel(one) as sender, Channel(other) as receiver:
        thread = threading.Thread(target=sender.send, args=(Kind.DATA, payload, ALWAYS))
        thread.start()
        assert receiver.receive(ALWAYS) == (Kind.DATA, payload)
        thread.join()
        assert not sender.is_sending


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"\x02\x00",
        b"\x02\x00\x00\x00\x05abc",
        # Kinds and lengths that no frame has.
        b"\x00\x00\x00\x00\x00",
        b"\x63\x00\x00\x00\x00",
        b"\x02\xff\xff\xff\xff",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
    ],
)
def test_what_is_no_whole_frame_is_an_error(
    ends: tuple[socket.socket, Channel], sent: bytes
) -> None:
    raw, channel = ends
    raw.sendall(sent)
    raw.shutdown(socket.SHUT_WR)
    with pytest.raises(BrokenExchangeError):
        channel.receive(ALWAYS)


def test_who_sends_to_nobody_learns_it(ends: tuple[socket.socket, Channel]) -> None:
    raw, channel = ends
    raw.close()
    with pytest.raises(BrokenExchangeError, match="ended the connection"):
        channel.send(Kind.DATA, bytes(1 << 20), ALWAYS)


def test_waiting_ends_with_the_interrupt(ends: tuple[socket.socket, Channel]) -> None:
    _, channel = ends
    with pytest.raises(InterruptedRunError):
        channel.receive(Interrupt(0.05))
    with pytest.raises(InterruptedRunError):
        channel.send(Kind.DATA, bytes(4 << 20), Interrupt(0.05))


def test_waiting_ends_with_the_channel(ends: tuple[socket.socket, Channel]) -> None:
    _, channel = ends
    channel.close()
    with pytest.raises(BrokenExchangeError):
        channel.receive(ALWAYS)


@pytest.mark.parametrize("first", [1, 4, 5, 6, 10])
def test_a_frame_at_which_a_call_was_interrupted_is_gone_on_with(
    ends: tuple[socket.socket, Channel], first: int
) -> None:
    other, channel = ends
    frame = bytes((Kind.MESSAGE,)) + (6).to_bytes(4, "big") + b"a word"
    other.sendall(frame[:first])
    with pytest.raises(InterruptedRunError):
        channel.receive(Interrupt(0.05))
    other.sendall(frame[first:])
    assert channel.receive(Interrupt(30)) == (Kind.MESSAGE, b"a word")


def test_the_rest_of_an_interrupted_frame_goes_before_the_next(
    ends: tuple[socket.socket, Channel],
) -> None:
    other, channel = ends
    large = os.urandom(4 << 20)
    with pytest.raises(InterruptedRunError):
        channel.send(Kind.MESSAGE, large, Interrupt(0.05))
    received: list[tuple[Kind, bytes]] = []

    def read() -> None:
        with Channel(other) as reader:
            received.extend(reader.receive(Interrupt(30)) for _ in range(2))

    thread = threading.Thread(target=read)
    thread.start()
    channel.send(Kind.MESSAGE, b"last", Interrupt(30))
    thread.join()
    assert received == [(Kind.MESSAGE, large), (Kind.MESSAGE, b"last")]
