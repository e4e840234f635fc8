"""A proxy in front of the API server that fails as networks, API servers and clouds do, when it is told to.

It ends TLS with the API server's own certificate, so a client needs only another address, and it passes tokens through.
Any thread may start and end faults while it runs. It counts what each fault hits.
"""

import re
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from sandbox.apiserver import ApiServer
from sandbox.faults import ANSWERS, Fault, Faults, Hits, Rule, refusal
from sandbox.relay import BrokenOffError, Connection, Head, Line

HANDSHAKE_SECONDS: Final = 10.0
HANG_SECONDS: Final = 0.2
"""How often a hanging request looks whether its client still waits."""


class FaultProxy:
    """A loopback proxy in front of one API server. Made by ``fault_proxy``."""

    def __init__(self, real: ApiServer) -> None:
        self._real = urlsplit(real.url)
        self._tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._tls.load_cert_chain(real.ca, real.ca.with_suffix(".key"))
        self._to_server = ssl.create_default_context(cafile=str(real.ca))
        self._faults = Faults()
        self._lock = threading.Lock()
        self._connections: set[Connection] = set()
        self._threads: set[threading.Thread] = set()
        # This holds the port even while nobody listens on it.
        self._holder = _bound(0)
        self._port = int(self._holder.getsockname()[1])
        self._switch = threading.Lock()
        self._listener: socket.socket | None = None
        folder = real.folder / f"proxy-{self._port}"
        folder.mkdir(exist_ok=True)  # the kernel reuses ports
        self.api_server: Final = replace(real, url=f"https://127.0.0.1:{self._port}", folder=folder)
        """The API server as clients of the proxy see it; its ``kubeconfig`` and ``client`` lead through the proxy."""

    def kubeconfig(self, user: str = "admin", namespace: str = "default") -> Path:
        """Write a kubeconfig that leads through the proxy, and return its path."""
        return self.api_server.kubeconfig(user, namespace)

    # --- faults

    def inject(
        self,
        fault: Fault,
        *,
        method: str = "",
        path: str = "",
        token: str = "",
        times: int | None = None,
        seconds: float = 1.0,
        spared: int = 0,
    ) -> None:
        """Fail matching requests: the next ``times`` after the first ``spared``, or all until the fault is lifted.

        A request matches by its ``method`` (or several: ``POST|PUT``), its ``token``, and a target in which ``path``, a
        regular expression, is found. The fault that was injected first wins. ``seconds`` is the delay of SLOW and the
        Retry-After of TOO_MANY. REFUSED is for every request. CUT and SILENT hit each matching watch that runs now, and
        none that begins later.
        """
        rule = Rule(fault, method, re.compile(path), times, seconds, token, spared)
        if fault in (Fault.CUT, Fault.SILENT):
            self._break_watches(rule)
            return
        self._faults.add(rule)
        if fault is Fault.REFUSED:
            self._stop_listening()
            self._reset_all()

    def lift(self, fault: Fault | None = None) -> None:
        """End all faults, or one. Hanging requests end without an answer."""
        self._faults.lift(fault)
        if not self._faults.has(Fault.REFUSED):
            self._listen()

    @contextmanager
    def failing(
        self, fault: Fault, *, method: str = "", path: str = "", times: int | None = None, seconds: float = 1.0
    ) -> Iterator[None]:
        """Fail matching requests during the block."""
        self.inject(fault, method=method, path=path, times=times, seconds=seconds)
        try:
            yield
        finally:
            self.lift(fault)

    @property
    def hits(self) -> Hits:
        """How often each fault hit what, such as ``(Fault.LOST, "PATCH httproutes")`` or ``(..., "WATCH httproutes")``.

        REFUSED counts the connections that it reset, by their last request. Nobody sees who comes to a closed port.
        """
        return self._faults.hits()

    def _reset_all(self) -> None:
        """Reset every connection, and return when clients can see it."""
        running = self._running()
        for connection in running:
            self._faults.count(Fault.REFUSED, connection.request)
            connection.end(reset=True)
        deadline = time.monotonic() + HANG_SECONDS + 1
        while time.monotonic() < deadline and not self._is_through(running):
            time.sleep(0.002)

    def _is_through(self, connections: list[Connection]) -> bool:
        with self._lock:
            return self._connections.isdisjoint(connections)

    def _break_watches(self, rule: Rule) -> None:
        for each in self._running():
            if each.watches and not each.silent and each.request is not None and rule.fits(each.request):
                self._faults.count(rule.fault, each.request)
                if rule.fault is Fault.SILENT:
                    each.silent = True
                else:
                    each.end(reset=False)

    # --- connections

    def _running(self) -> list[Connection]:
        with self._lock:
            return list(self._connections)

    def _listen(self) -> None:
        with self._switch:
            if self._listener is not None:
                return
            self._listener = _bound(self._port)
            self._listener.listen(128)
            threading.Thread(target=self._accept, args=(self._listener,), name="fault proxy", daemon=True).start()

    def _stop_listening(self) -> None:
        with self._switch:
            if self._listener is not None:
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts; close alone would not
                self._listener.close()
                self._listener = None

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(sock,), name="fault proxy connection", daemon=True)
            with self._lock:
                self._threads.add(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        try:
            sock.settimeout(HANDSHAKE_SECONDS)
            with suppress(OSError):
                secure = self._tls.wrap_socket(sock, server_side=True)
                secure.settimeout(None)
                self._converse(Connection(Line(secure)))
        finally:
            sock.close()
            with self._lock:
                self._threads.discard(threading.current_thread())

    def _converse(self, connection: Connection) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            with suppress(OSError, ValueError, BrokenOffError):
                while self._exchange(connection):
                    pass
                if connection.silent:
                    connection.client.wait_for_end()
        finally:
            connection.close()
            with self._lock:
                self._connections.discard(connection)

    def _exchange(self, connection: Connection) -> bool:
        """Handle one request; return whether another may follow on the connection."""
        request = connection.client.head()
        if request is None:
            return False
        connection.request = request
        body = b"".join(connection.client.body(request, is_answer=False))
        rule = self._faults.hit(request)
        return self._pass_on(connection, request, body) if rule is None else self._fail(rule, connection, request, body)

    def _fail(self, rule: Rule, connection: Connection, request: Head, body: bytes) -> bool:
        match rule.fault:
            case Fault.SLOW:
                rule.lifted.wait(rule.seconds)
                return self._pass_on(connection, request, body)
            case fault if fault in ANSWERS:
                connection.forward(refusal(rule))
                return not request.closes
            case Fault.LOST:
                self._ask(connection, request, body)
            case Fault.HUNG:
                _hang(rule, connection)
            case Fault.UNANSWERED:
                _, pieces = self._ask(connection, request, body)
                b"".join(pieces)
                self._faults.count(rule.fault, request)
                _hang(rule, connection)
            case _:
                connection.reset = True
        return False

    def _pass_on(self, connection: Connection, request: Head, body: bytes) -> bool:
        answer, pieces = self._ask(connection, request, body)
        connection.watches = request.is_watch and answer.words[1] == "200"
        waiting = answer.raw
        if connection.watches:  # its first event may take long
            connection.forward(waiting)
            waiting = b""
        for piece in pieces:
            connection.forward(waiting + piece)
            waiting = b""
        connection.forward(waiting)
        connection.watches = False
        ends = "content-length" not in answer.fields and "transfer-encoding" not in answer.fields
        return not (ends or request.closes or answer.closes or connection.silent)

    def _ask(self, connection: Connection, request: Head, body: bytes) -> tuple[Head, Iterator[bytes]]:
        """Pass a request on; return the head of the answer, and its body as it comes."""
        server = connection.server
        if server is not None and server.is_dropped():
            server.close()
            server = None
        connection.server = server = server or self._dial()
        server.send(request.raw + body)
        answer = server.head()
        if answer is None:
            raise BrokenOffError
        return answer, server.body(answer, is_answer=True)

    def _dial(self) -> Line:
        sock = socket.create_connection((self._real.hostname, self._real.port), HANDSHAKE_SECONDS)
        try:
            secure = self._to_server.wrap_socket(sock, server_hostname=self._real.hostname)
        except BaseException:
            sock.close()
            raise
        secure.settimeout(None)
        return Line(secure)

    def close(self) -> None:
        """End everything."""
        self._faults.lift(None)
        self._stop_listening()
        with self._lock:
            threads = set(self._threads)
        while threads:
            for connection in self._running():
                connection.end(reset=True)
            for thread in threads:
                thread.join(0.05)
            threads = {thread for thread in threads if thread.is_alive()}
        self._holder.close()


@contextmanager
def fault_proxy(real: ApiServer) -> Iterator[FaultProxy]:
    """Run a proxy in front of an API server. Nothing fails until a fault is injected."""
    proxy = FaultProxy(real)
    try:
        proxy.lift()
        yield proxy
    finally:
        proxy.close()


def _hang(rule: Rule, connection: Connection) -> None:
    while not (rule.lifted.wait(HANG_SECONDS) or connection.is_over):
        pass


def _bound(port: int) -> socket.socket:
    sock = socket.socket()
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind(("127.0.0.1", port))
    return sock
