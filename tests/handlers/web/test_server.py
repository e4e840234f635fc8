"""The web server against clients that are slow, silent, many or unclear. Raw sockets: no HTTP library would send it."""

import socket
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.web.answers import answer
from handlers.web.server import LARGEST_BODY, LARGEST_HEADER, Server, listen

MOST = 8
HOST = b"Host: localhost\r\n"
SCHEMES = (b"", b"/", b"http://", b"https://", b"//")
WHOLE = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"


def echo(environ: Any, start: Any) -> Any:
    return answer(start, "200 OK", environ["wsgi.input"].read())


@contextmanager
def serving(application: Any = echo, **options: Any) -> Iterator[Server]:
    server = listen(application, "127.0.0.1", 0, threads=2, **options)
    running = threading.Thread(target=server.run)
    running.start()
    try:
        yield server
    finally:
        server.trigger.pull_trigger(server.close)  # in the server's own thread, which may be waiting for these sockets
        running.join()
        server.task_dispatcher.shutdown()


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def hasty() -> Iterator[Server]:
    """Return a server that does not wait for the rest of a request."""
    with serving(patience=0.1) as server:
        yield server


def connected(server: Server) -> socket.socket:
    return socket.create_connection(("127.0.0.1", int(server.effective_port)), timeout=10)


def rest(connection: socket.socket) -> bytes:
    """Return what the server sends until it closes the connection, which it does after each answer."""
    received = b""
    try:
        while more := connection.recv(4096):
            received += more
    except ConnectionResetError:  # it closed with bytes of ours unread
        pass
    return received


def said(server: Server, *sent: bytes) -> tuple[int, bytes]:
    """Send bytes; return the answer's status, 0 if the connection was just closed, and its body."""
    with connected(server) as connection:
        for part in sent:
            connection.sendall(part)
        head, _, body = rest(connection).partition(b"\r\n\r\n")
    return int(head.split()[1]) if head else 0, body


def test_a_whole_request_is_answered_and_the_connection_closed(server: Server) -> None:
    assert said(server, b"POST / HTTP/1.1\r\n", HOST, b"Content-Length: 5\r\n\r\n", b"he", b"llo") == (200, b"hello")


def test_a_body_in_chunks_is_whole_at_its_end(server: Server) -> None:
    head = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert said(server, head, b"2\r\nhe\r\n", b"3\r\nllo\r\n0\r\n\r\n") == (200, b"hello")


def test_of_two_requests_in_a_row_only_the_first_is_answered(server: Server) -> None:
    with connected(server) as connection:
        connection.sendall(WHOLE + WHOLE)
        assert rest(connection).count(b"HTTP/1.1 200") == 1


LENGTHS = {
    "two ways": [b"Content-Length: 5", b"Transfer-Encoding: chunked"],
    "two ways the other way round": [b"Transfer-Encoding: chunked", b"Content-Length: 5"],
    "twice": [b"Content-Length: 5", b"Content-Length: 5"],
    "two in one": [b"Content-Length: 5, 5"],
    "a tab": [b"Content-Length:\t5"],
    "a tab behind": [b"Content-Length: 5\t"],
    "a tab before the coding": [b"Transfer-Encoding:\tchunked"],
    "an underscore": [b"Content_Length: 5"],
    "an underscore in the coding": [b"Transfer_Encoding: chunked"],
    "an underscore in the number": [b"Content-Length: 1_0"],
    "a sign": [b"Content-Length: +5"],
    "below zero": [b"Content-Length: -5"],
    "hexadecimal": [b"Content-Length: 0x5"],
    "no number": [b"Content-Length: five"],
    "nothing": [b"Content-Length:"],
    "digits without end": [b"Content-Length: " + b"9" * 5000],
    "another coding": [b"Transfer-Encoding: gzip, chunked"],
    "coded twice": [b"Transfer-Encoding: chunked, chunked"],
    "coded in two headers": [b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"],
    "a coding with a vertical tab": [b"Transfer-Encoding: \x0bchunked"],
    "a second line": [b"Transfer-Encoding:", b" chunked"],
    "a second line by a tab": [b"Content-Length: 1", b"\t5"],
    "a space before the colon": [b"Content-Length : 5"],
    "a bare line feed": [b"X: y\nContent-Length: 5"],
}


@pytest.mark.parametrize("lines", LENGTHS.values(), ids=LENGTHS)
@pytest.mark.parametrize("version", [b"1.1", b"1.0"])
def test_a_length_that_servers_may_read_differently_is_refused(
    server: Server, lines: Sequence[bytes], version: bytes
) -> None:
    head = b"POST / HTTP/" + version + b"\r\n" + HOST + b"\r\n".join(lines)
    status, _ = said(server, head + b"\r\n\r\nhello" + WHOLE)
    assert status == 400


def test_chunks_are_refused_in_a_version_that_has_none(server: Server) -> None:
    head = b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n"
    assert said(server, head + b"0\r\n\r\n")[0] == 400


@pytest.mark.parametrize("address", [b"http://[", b"http://[::1/x", b"http://[zz]/", b"http://\xff["])
def test_an_address_that_is_none_is_refused(server: Server, address: bytes) -> None:
    assert said(server, b"GET " + address + b" HTTP/1.1\r\n" + HOST + b"\r\n")[0] == 400


def test_what_is_too_large_is_refused_before_it_is_read(server: Server) -> None:
    length = b"Content-Length: %d\r\n\r\n" % (LARGEST_BODY + 1)
    assert said(server, b"POST / HTTP/1.1\r\n" + HOST + length)[0] == 413
    assert said(server, b"GET / HTTP/1.1\r\nX: " + b"x" * LARGEST_HEADER)[0] == 431


ODD = st.text("[]()/:?#@.%;az09-\\\t", max_size=16).map(str.encode)


@given(
    st.binary(max_size=400)
    | st.binary(max_size=60).map(lambda noise: WHOLE[:-2] + noise + b"\r\n\r\n")
    | st.builds(lambda scheme, odd: b"GET " + scheme + odd + b" HTTP/1.1\r\n" + HOST, st.sampled_from(SCHEMES), ODD)
)
def test_no_bytes_break_it(hasty: Server, noise: bytes) -> None:
    assert said(hasty, noise + b"\r\n\r\n\r\n")[0] in (0, 200, 400, 431, 501)


def test_a_client_that_sends_no_whole_request_in_time_is_let_go() -> None:
    with serving(patience=0.2) as server, connected(server) as silent, connected(server) as slow:
        slow.sendall(WHOLE[:-2])
        assert (rest(silent), rest(slow)) == (b"", b"")


def test_one_more_connection_takes_the_place_of_the_oldest_silent_one() -> None:
    with serving(most=MOST) as server, ExitStack() as stack:
        silent = [stack.enter_context(connected(server)) for _ in range(MOST)]
        assert said(server, WHOLE) == (200, b"")
        assert rest(silent[0]) == b""
        silent[1].sendall(WHOLE)
        assert rest(silent[1]).startswith(b"HTTP/1.1 200")


def test_a_request_that_runs_keeps_its_place() -> None:
    entered, may_answer = threading.Event(), threading.Event()

    def slow(environ: Any, start: Any) -> Any:
        entered.set()
        may_answer.wait()
        return answer(start, "200 OK", "whole")

    with serving(slow, most=2, patience=0.1) as server, ThreadPoolExecutor(1) as pool:
        asked = pool.submit(said, server, WHOLE)
        assert entered.wait(5)
        with ExitStack() as stack:
            silent = [stack.enter_context(connected(server)) for _ in range(3)]
            assert [rest(one) for one in silent] == [b"", b"", b""]
        may_answer.set()
        assert asked.result(5) == (200, b"whole")


def test_people_who_asked_get_the_whole_answer_before_the_end() -> None:
    entered, may_answer = threading.Event(), threading.Event()

    def slow(environ: Any, start: Any) -> Any:
        entered.set()
        may_answer.wait()
        return answer(start, "200 OK", "whole")

    with serving(slow) as server, ThreadPoolExecutor(2) as pool:
        asked = pool.submit(said, server, WHOLE)
        assert entered.wait(5)
        drained = pool.submit(server.drain)
        with pytest.raises(TimeoutError):
            drained.result(0.1)
        may_answer.set()
        drained.result(5)
        assert asked.result(5) == (200, b"whole")
