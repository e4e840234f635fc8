"""How we check the API server's certificate: as `kubectl` does, with a TLS context for each connection.

urllib3 puts the certificates into the context at every handshake. A context that threads share is then changed while
another thread reads it, which ends the process (urllib3 issue 3036).
"""

import ssl
from typing import Any

from urllib3 import HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPSConnection
from urllib3.util.ssl_ import create_urllib3_context


def check_as_kubectl(pools: PoolManager) -> None:
    """Let all connections that are made from now on check the certificate so."""
    pools.pool_classes_by_scheme = {
        **pools.pool_classes_by_scheme,
        "https": _checked(pools.pool_classes_by_scheme["https"]),
    }


def _checked(pool: type[HTTPSConnectionPool]) -> type[HTTPSConnectionPool]:
    """Return a pool, perhaps one through a proxy, whose connections have contexts of their own."""
    connection = type("Checked", (_Checked, pool.ConnectionCls), {})
    return type("CheckedPool", (pool,), {"ConnectionCls": connection})


class _Checked(HTTPSConnection):
    def connect(self) -> None:
        self.ssl_context = _context(self)
        super().connect()


def _context(connection: Any) -> ssl.SSLContext:
    """Return a new context.

    From Python 3.13 on, an authority without an Authority Key Identifier would be refused, as many clusters have it.
    """
    context = create_urllib3_context(cert_reqs=connection.cert_reqs)
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    if not (connection.ca_certs or connection.ca_cert_data):
        context.load_default_certs()
    return context
