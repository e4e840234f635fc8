"""A real control plane without nodes: etcd and kube-apiserver, with RBAC and the published custom resources."""

import base64
import json
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType

import urllib3

from sandbox.binaries import binaries, crds
from sandbox.certificates import make_certificate
from sandbox.errors import ApiError
from sandbox.kube import Kube, path_of
from sandbox.process import Server, free_ports, wait_until
from sandbox.workplace import Workplace

# Everybody that the API server knows, with groups. Only `admin` may do anything; RBAC objects may bind the others.
USERS: Mapping[str, tuple[str, tuple[str, ...]]] = MappingProxyType(
    {
        "admin": ("admin", ("system:masters",)),
        "rolloutbot": (
            "system:serviceaccount:rolloutbot:rolloutbot",
            ("system:serviceaccounts", "system:serviceaccounts:rolloutbot"),
        ),
        # Another token of the same account, to test what happens when the first one expires.
        "rolloutbot-rotated": (
            "system:serviceaccount:rolloutbot:rolloutbot",
            ("system:serviceaccounts", "system:serviceaccounts:rolloutbot"),
        ),
        "alice": ("alice", ("developers",)),
        "bob": ("bob", ("developers",)),
        "stranger": ("stranger", ()),
    }
)


@dataclass(frozen=True)
class ApiServer:
    """How to reach a control plane. ``tokens`` holds one for each of USERS; kubeconfigs are written to ``folder``."""

    url: str
    ca: Path
    tokens: Mapping[str, str]
    folder: Path

    def client(self, user: str = "admin") -> Kube:
        """Return a client that acts as ``user``."""
        return Kube(self.url, self.tokens[user], self.ca)

    def kubeconfig(self, user: str = "admin", namespace: str = "default") -> Path:
        """Write a kubeconfig for ``user`` and return its path."""
        file = self.folder / f"kubeconfig-{user}-{namespace}"
        new = file.with_suffix(f".{secrets.token_hex(4)}")
        new.write_text(json.dumps(self._kubeconfig(user, namespace), indent=2))
        return new.replace(file)  # others may read it now

    def _kubeconfig(self, user: str, namespace: str) -> dict[str, object]:
        ca = base64.b64encode(self.ca.read_bytes()).decode()
        context = {"cluster": "sandbox", "user": user, "namespace": namespace}
        return {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "sandbox",
            "clusters": [{"name": "sandbox", "cluster": {"server": self.url, "certificate-authority-data": ca}}],
            "users": [{"name": user, "user": {"token": self.tokens[user]}}],
            "contexts": [{"name": "sandbox", "context": context}],
        }

    def is_ready(self) -> bool:
        """Return whether the API server is ready. The first start writes the certificate that the client needs."""
        if not self.ca.exists():
            return False
        with closing(self.client()) as kube, suppress(urllib3.exceptions.HTTPError, OSError):
            return not kube.unready()
        return False


@contextmanager
def api_server(place: Workplace) -> Iterator[ApiServer]:
    """Run a control plane with the custom resource definitions installed."""
    folder = place.folder / "kubernetes"
    certs = folder / "certs"
    certs.mkdir(parents=True)
    store, peers, port = free_ports(3)
    tokens = {user: secrets.token_urlsafe(24) for user in USERS}
    (folder / "tokens.csv").write_text(_token_file(tokens))
    (folder / "service-accounts.key").write_text(_signing_key())
    if shutil.which("openssl"):  # else the API server makes one with RSA, which costs more at each connection
        make_certificate(certs / "apiserver.crt", certs / "apiserver.key")
    found = binaries()
    etcd = Server("etcd", [found.etcd, *_etcd_flags(folder, store, peers)], folder)
    server = Server("kube-apiserver", [found.kube_apiserver, *_api_server_flags(folder, store, port)], folder)
    control_plane = ApiServer(f"https://127.0.0.1:{port}", certs / "apiserver.crt", MappingProxyType(tokens), folder)
    try:
        etcd.start()
        server.start()
        server.wait_ready(control_plane.is_ready)
        with closing(control_plane.client()) as kube:
            install_crds(kube)
        yield control_plane
    finally:  # the data is thrown away, so there is no need to wait for them
        server.kill()
        etcd.kill()


def _etcd_flags(folder: Path, store: int, peers: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{store}", f"http://127.0.0.1:{peers}"
    return [
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
        "--unsafe-no-fsync",
        "--log-level=error",
    ]


def _api_server_flags(folder: Path, store: int, port: int) -> list[str]:
    key = folder / "service-accounts.key"
    return [
        f"--etcd-servers=http://127.0.0.1:{store}",
        f"--cert-dir={folder / 'certs'}",
        f"--secure-port={port}",
        "--bind-address=127.0.0.1",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--service-account-key-file={key}",
        f"--service-account-signing-key-file={key}",
        "--service-cluster-ip-range=10.0.0.0/16",
        # Nobody creates default service accounts without kube-controller-manager, so pods would be refused.
        "--disable-admission-plugins=ServiceAccount",
        "--endpoint-reconciler-type=none",
        "--profiling=false",
    ]


def _token_file(tokens: Mapping[str, str]) -> str:
    lines = []
    for user, (name, groups) in USERS.items():
        lines.append(f'{tokens[user]},{name},uid-{user},"{",".join(groups)}"')
    return "\n".join(lines) + "\n"


def _signing_key() -> str:
    """Return a new P-256 key in PEM (RFC 5915, without the optional public half): 32 random bytes in a fixed frame.

    A number above the order of the curve is not a key (1 in 4 thousand million), so the first byte stays below 0xff.
    """
    number = bytes([secrets.randbelow(0xFF)]) + secrets.token_bytes(31)
    curve = bytes.fromhex("a00a06082a8648ce3d030107")
    body = bytes.fromhex("0201010420") + number + curve
    der = bytes([0x30, len(body)]) + body
    return f"-----BEGIN EC PRIVATE KEY-----\n{base64.b64encode(der).decode()}\n-----END EC PRIVATE KEY-----\n"


def install_crds(kube: Kube, files: Iterable[Path] = ()) -> None:
    """Install the custom resource definitions, or those of ``files``, and wait until their resources are served.

    While a definition is new, the API server delays the first creation of its objects by 2 s.
    """
    wanted = list(files) or crds()
    with ThreadPoolExecutor(len(wanted)) as pool:
        list(pool.map(partial(_install_crd, kube), wanted))


def _install_crd(kube: Kube, file: Path) -> None:
    group, _, plural = file.stem.partition("_")
    definition = path_of("apiextensions.k8s.io/v1", "CustomResourceDefinition", name=f"{plural}.{group}")
    kube.apply_file(definition, file.read_bytes())
    versions = kube.get(definition)["spec"]["versions"]
    path = f"/apis/{group}/{versions[-1]['name']}/{plural}"
    wait_until(f"{path}: being served", partial(_served, kube, path))


def _served(kube: Kube, path: str) -> bool:
    """Return whether a resource is served. A new one is not found at first, then refused with 429 for a moment."""
    try:
        kube.get(path)
    except ApiError as error:
        if error.status not in {404, 429, 503}:
            raise
        return False
    return True
