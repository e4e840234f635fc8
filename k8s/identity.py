"""What tells one cluster from another: its id, and the authority that proves its identity."""

import hashlib
import ssl
from pathlib import Path

from kubernetes.client import ApiClient, Configuration

from bot.domain.errors import RefusedError
from k8s.client import read_namespace


def cluster_uid(api: ApiClient) -> str:
    """Return the uid of namespace `kube-system`, which lives as long as its cluster; empty if we may not read it.

    Raises ClusterError if the API server does not answer.
    """
    try:
        return str(read_namespace(api, "kube-system")["metadata"]["uid"])
    except RefusedError:
        return ""


def cluster_mark(configuration: Configuration) -> str:
    """Return a mark of the certificate authority that vouches for the API server; without one, of its address.

    In the pod and in a kubeconfig the authority is the same, while addresses may differ. It is read from a file, so it
    is known while the API server is away.
    """
    try:
        text = Path(configuration.ssl_ca_cert or "").read_text(encoding="ascii")
        certificates = sorted(map(ssl.PEM_cert_to_DER_cert, _certificates(text)))
    except (OSError, ValueError):
        certificates = []
    if certificates:
        return f"ca-{_digest(b''.join(certificates))}"
    return f"address-{_digest(str(configuration.host).encode())}"


def _certificates(text: str) -> list[str]:
    end = "-----END CERTIFICATE-----"
    return [f"{part[part.index('-----BEGIN') :]}{end}" for part in text.split(end) if "-----BEGIN" in part]


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]
