"""The first question to a server: what is said where TLS is wrong."""

import contextlib
import socket
import threading

import pytest

from dumpers.contract.connection import Connection
from dumpers.engines.clickhouse.server.client import connect
from dumpers.engines.clickhouse.server.greeting import greet
from dumpers.runtime.errors import DUMP_ERRORS, SourceRefusedError
from dumpers.runtime.interrupt import Interrupt


def test_one_answer_in_the_clear_is_enough() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]

        def answer_once() -> None:
            with contextlib.closing(listener):
                accepted, _ = listener.accept()
            with accepted:
                accepted.recv(1)
                accepted.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n")
                with contextlib.suppress(ConnectionResetError):
                    while accepted.recv(4096):
                        pass

        answering = threading.Thread(target=answer_once)
        answering.start()
        connection = Connection(host="127.0.0.1", port=port, tls="require")
        server = connect(connection, errors=DUMP_ERRORS, settings={})
        with pytest.raises(SourceRefusedError, match="speaks no TLS at this port"):
            greet(server, connection, Interrupt())
        answering.join()
