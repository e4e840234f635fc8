"""What a connection does when the API server is away, hangs, or says no."""

import contextlib
import shutil
import socket
import ssl
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException

from bot.domain.errors import ClusterError, RefusedError
from bot.engine.notes import NO_KEYS
from k8s import httproute
from k8s.cluster import Cluster
from k8s.connection import TimeoutClient, client_of, connect
from sandbox.apiserver import ApiServer
from sandbox.certificates import make_certificates, tls_front
from sandbox.rights import a_role, grant
from sandbox.world import CANARY, ROUTE, World
from tests.k8s.build import a_ref, a_rollout, a_route, a_rule
from tests.k8s.stories import start, write

OK_HEADERS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: "


@contextlib.contextmanager
def answering(answer: Callable[[socket.socket], None]) -> Iterator[ApiClient]:
    """Run a server that reads a request and answers it as told; yield an impatient client of it."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_serve, args=(server, answer), daemon=True)
        thread.start()
        api = client_of(Configuration(host=f"http://127.0.0.1:{server.getsockname()[1]}"))
        api.timeout = (0.5, 0.5)
        yield api
        api.rest_client.close()
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def _serve(server: socket.socket, answer: Callable[[socket.socket], None]) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection:
                _read_request(connection)
                answer(connection)


def _read_request(connection: socket.socket) -> None:
    """Read all of it: closing with something unread would reset the connection before the answer is read."""
    with connection.makefile("rb") as request:
        headers = dict(line.lower().split(b": ", 1) for line in iter(request.readline, b"\r\n") if b": " in line)
        request.read(int(headers.get(b"content-length", 0)))


def a_status(code: int, body: bytes = b"") -> Callable[[socket.socket], None]:
    head = f"HTTP/1.1 {code} X\r\nConnection: close\r\nRetry-After: 30\r\nContent-Length: {len(body)}\r\n\r\n".encode()
    return lambda connection: connection.sendall(head + body)


def hang(connection: socket.socket) -> None:
    time.sleep(1)


def stop_halfway(connection: socket.socket) -> None:
    connection.sendall(OK_HEADERS + b"100\r\n\r\n{")


def drop(connection: socket.socket) -> None:
    """Close without an answer: the write may have happened."""


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (hang, "The API server did not answer in time (asked for HTTPRoute `default/llm-route`)."),
        (drop, "The API server broke off its answer (asked for HTTPRoute `default/llm-route`)."),
        (stop_halfway, "The API server broke off its answer (asked for HTTPRoute `default/llm-route`)."),
        (a_status(429), "The API server answered 429 (asked for HTTPRoute `default/llm-route`)."),
        (a_status(500, b"secret"), "The API server answered 500 (asked for HTTPRoute `default/llm-route`)."),
        (
            a_status(200, b"<html>proxy</html>"),
            "The API server answered with something that is not JSON (asked for HTTPRoute `default/llm-route`).",
        ),
        (
            a_status(200, b"[]"),
            "The API server answered with something that is not an object (asked for HTTPRoute `default/llm-route`).",
        ),
    ],
)
def test_every_kind_of_trouble_is_one_sentence(answer: Callable[[socket.socket], None], message: str) -> None:
    copy = httproute.copy_of(a_route(a_rule(a_ref("llama"))), NO_KEYS)
    with answering(answer) as api:
        cluster = Cluster(api, ["default"])
        for call in (
            lambda: cluster.read("default", "llm-route"),
            lambda: cluster.write(copy, a_rollout(dict(copy.document)), weights=True),
        ):
            with pytest.raises(ClusterError) as caught:
                call()
            assert str(caught.value) == message
            assert not isinstance(caught.value, RefusedError)


def test_a_server_that_is_away_is_said_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    api = client_of(Configuration(host=f"http://127.0.0.1:{port}"))

    with pytest.raises(ClusterError, match="could not be reached"):
        Cluster(api, ["default"]).list("default")


@pytest.mark.parametrize(
    "error", [ConfigException("Token file exists but empty."), FileNotFoundError("/var/run/token")]
)
def test_a_token_that_cannot_be_read_again_is_said_without_its_path(error: Exception) -> None:
    def refresh(configuration: Configuration) -> None:
        raise error

    configuration = Configuration(host="http://127.0.0.1:1")
    configuration.api_key["BearerToken"] = "bearer old"
    setattr(configuration, "refresh_api_key_hook", refresh)  # noqa: B010 - the vendor types it as None

    with pytest.raises(ClusterError) as caught:
        Cluster(client_of(configuration), ["default"]).list("default")
    assert str(caught.value) == (
        "The API server cannot be asked: the bot cannot read its credentials "
        "(asked for the httproutes of namespace `default`)."
    )


def test_a_server_of_another_authority_is_not_trusted(api_server: ApiServer) -> None:
    api = client_of(Configuration(host=api_server.url))

    with pytest.raises(ClusterError) as refused:
        Cluster(api, ["default"]).list("default")
    said = str(refused.value).replace(" in certificate chain", "")  # of the API server's own certificate
    assert said == (
        "The API server could not be trusted: self-signed certificate. "
        "Check `server` and `certificate-authority` in the kubeconfig."
    )


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs the openssl command")
def test_an_authority_without_a_key_identifier_is_trusted_as_kubectl_does(
    api_server: ApiServer, tmp_path: Path
) -> None:
    made, to_server = make_certificates(tmp_path), ssl.create_default_context(cafile=str(api_server.ca))
    with tls_front(made, urlsplit(api_server.url).port or 0, to_server) as port:
        front = replace(api_server, url=f"https://127.0.0.1:{port}", ca=made.authority, folder=tmp_path)
        api = connect(front.kubeconfig()).api
        assert Cluster(api, ["default"]).list("default") == []  # from Python 3.13 on, this was refused


def test_no_call_waits_for_ever_or_retries_by_itself(api: ApiClient) -> None:
    assert isinstance(api, TimeoutClient)
    assert api.timeout == (2.0, 5.0)
    pools = api.rest_client.pool_manager.connection_pool_kw
    assert (pools["maxsize"], pools["retries"].total) == (40, urllib3.Retry(0).total)


def test_a_kubeconfig_gives_the_namespace_of_its_context(api_server: ApiServer, namespace: str) -> None:
    assert connect(api_server.kubeconfig("alice", namespace)).namespace == namespace


@pytest.mark.parametrize("content", [None, "", "{}", "words", "- 1", "not: [a kubeconfig"])
def test_a_kubeconfig_that_cannot_be_used_is_said_in_a_sentence(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "kubeconfig"
    if content is not None:
        file.write_text(content)

    with pytest.raises(ClusterError, match="The configuration of the Kubernetes client"):
        connect(file)


def test_a_named_kubeconfig_goes_before_the_pod(
    api_server: ApiServer, namespace: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("KUBECONFIG", str(api_server.kubeconfig("bob", namespace)))
    assert connect().namespace == namespace

    monkeypatch.delenv("KUBECONFIG")
    with pytest.raises(ClusterError, match="The configuration of the Kubernetes client"):
        connect()


def test_a_token_that_nobody_knows(api_server: ApiServer) -> None:
    file = api_server.kubeconfig("alice")
    wrong = file.with_name("kubeconfig-wrong")
    wrong.write_text(file.read_text().replace(api_server.tokens["alice"], "nobodys-token"))

    with pytest.raises(ClusterError) as caught:
        Cluster(connect(wrong).api, ["default"]).list("default")
    assert str(caught.value) == "The API server does not know the bot (401). Check its token or kubeconfig."
    assert not isinstance(caught.value, RefusedError)


def test_a_missing_right_names_verb_resource_and_namespace(
    world: World, cluster: Cluster, api_server: ApiServer
) -> None:
    rollout = start(cluster)
    reads = {"apiGroups": ["gateway.networking.k8s.io"], "resources": ["httproutes"], "verbs": ["get"]}
    grant(world.kube, world.namespace, a_role(reads))
    limited = Cluster(connect(api_server.kubeconfig("rolloutbot")).api, [world.namespace])

    assert limited.read(world.namespace, ROUTE).name == ROUTE
    for call, verb in ((lambda: write(limited, rollout), "patch"), (partial(limited.list, world.namespace), "list")):
        with pytest.raises(RefusedError) as caught:
            call()
        assert str(caught.value) == (
            f"The bot may not `{verb}` `httproutes` of gateway.networking.k8s.io in namespace `{world.namespace}`. "
            "Grant it to the bot's ServiceAccount in a Role, as `manifests/kustomize/rights` does."
        )
    with pytest.raises(RefusedError) as caught:
        limited.health(rollout.stable, rollout.canary)
    assert str(caught.value) == (
        f"The bot may not `get` `inferencepools` of inference.networking.k8s.io in namespace `{world.namespace}`. "
        "Grant it to the bot's ServiceAccount in a Role, as `manifests/kustomize/rights` does."
    )
    assert rollout.canary.name == CANARY


def test_a_kubeconfig_that_checks_no_certificate_warns_once_and_not_at_every_request(
    api_server: ApiServer, world: World, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = yaml.safe_load(api_server.kubeconfig().read_text())
    server = config["clusters"][0]["cluster"]["server"]
    config["clusters"][0]["cluster"] = {"server": server, "insecure-skip-tls-verify": True}
    (tmp_path / "kubeconfig").write_text(yaml.safe_dump(config))
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        api = connect(tmp_path / "kubeconfig").api
        for _ in range(3):
            httproute.read(api, world.namespace, ROUTE, NO_KEYS)
        api.rest_client.close()
    assert (warned, caplog.messages) == (
        [],
        [
            "The kubeconfig says `insecure-skip-tls-verify`, so nobody checks that it is the API server who answers. "
            "Name the server's certificate in `certificate-authority` instead."
        ],
    )
