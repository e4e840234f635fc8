"""Certificates of an authority of one's own, made by the openssl command, and a TLS front for servers without TLS."""

import select
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

PIECE = 64 * 1024


@dataclass(frozen=True)
class Certificates:
    """The files of an authority, and of a server on 127.0.0.1 that it vouches for."""

    authority: Path
    server: Path
    key: Path


def make_certificates(folder: Path) -> Certificates:
    """Make them as old tools did: without an Authority Key Identifier."""
    made = Certificates(folder / "ca.crt", folder / "server.crt", folder / "server.key")
    ca_key, request, bare, names = folder / "ca.key", folder / "server.csr", folder / "bare.cnf", folder / "names"
    bare.write_text("[req]\ndistinguished_name=subject\n[subject]\n")
    names.write_text("subjectAltName=IP:127.0.0.1\nsubjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n")
    new = ("req", "-config", bare, "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")
    authority = ("-addext", "basicConstraints=critical,CA:TRUE", "-addext", "keyUsage=critical,keyCertSign")
    _openssl(*new, "-x509", "-subj", "/CN=authority", "-keyout", ca_key, "-out", made.authority, *authority)
    _openssl(*new, "-subj", "/CN=server", "-keyout", made.key, "-out", request)
    signed = ("-CA", made.authority, "-CAkey", ca_key, "-extfile", names, "-days", "30")
    _openssl("x509", "-req", "-in", request, *signed, "-out", made.server)
    return made


def make_certificate(certificate: Path, key: Path) -> None:
    """Make one for a server on 127.0.0.1 that is its own authority, with an elliptic curve."""
    new = ("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30")
    usage = ("-addext", "keyUsage=critical,digitalSignature,keyCertSign", "-addext", "extendedKeyUsage=serverAuth")
    names = ("-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost")
    _openssl(*new, "-subj", "/CN=127.0.0.1", *names, *usage, "-keyout", key, "-out", certificate)


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True)


@contextmanager
def tls_front(certificates: Certificates, port: int, to_server: ssl.SSLContext | None = None) -> Iterator[int]:
    """Listen with TLS on a port of 127.0.0.1, and pass everything to another one; yield the new port.

    ``to_server`` says how to speak TLS with the server behind; None: it speaks none.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificates.server, certificates.key)
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    client, _ = listening.accept()
                    threading.Thread(target=_pass_on, args=(client, context, port, to_server), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield int(listening.getsockname()[1])
        listening.shutdown(socket.SHUT_RDWR)
        thread.join()


def _pass_on(client: socket.socket, context: ssl.SSLContext, port: int, to_server: ssl.SSLContext | None) -> None:
    """Serve one connection until either side ends it."""
    with suppress(OSError), context.wrap_socket(client, server_side=True) as front:
        behind = socket.create_connection(("127.0.0.1", port))
        with to_server.wrap_socket(behind, server_hostname="127.0.0.1") if to_server else behind as server:
            _pump({front: server, server: front})


def _pump(other: dict[socket.socket, socket.socket]) -> None:
    """Pass on what comes, in one thread: a TLS socket may not be read and written at once."""
    while True:
        waiting = [side for side in other if isinstance(side, ssl.SSLSocket) and side.pending()]
        for side in waiting or select.select([*other], [], [])[0]:
            side.settimeout(0)
            try:
                data = side.recv(PIECE)
            except (ssl.SSLWantReadError, BlockingIOError):
                continue  # it was TLS's own
            finally:
                side.settimeout(None)
            if not data:
                return
            other[side].sendall(data)
