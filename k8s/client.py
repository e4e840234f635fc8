"""One connection to the Kubernetes API server: how to get it, and the one way to ask it something."""

import json
import os
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

import urllib3
import yaml
from kubernetes import config
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException

from bot.domain.errors import ClusterError
from k8s.failure import THE_BOT, failure, no_answer

CONNECT_SECONDS: Final = 2.0
READ_SECONDS: Final = 5.0
CONNECTIONS: Final = 40
JSON_PATCH: Final = "application/json-patch+json"

_POD_NAMESPACE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")

Query = Sequence[tuple[str, str]]


class TimeoutClient(ApiClient):
    """The vendor's client waits for ever unless told otherwise at every call; this one is told once."""

    timeout: tuple[float, float] = (CONNECT_SECONDS, READ_SECONDS)
    account: str = THE_BOT

    def call_api(self, *arguments: Any, **options: Any) -> Any:
        """Send a request; without a timeout of its own it gets ours."""
        options["_request_timeout"] = options.get("_request_timeout") or self.timeout
        return super().call_api(*arguments, **options)


@dataclass(frozen=True, slots=True)
class Connection:
    """A client, and the namespace that it is at home in: the kubeconfig context's, or the pod's."""

    api: ApiClient
    namespace: str


def connect(kubeconfig: str | Path | None = None, *, context: str | None = None, account: str = THE_BOT) -> Connection:
    """Connect with the kubeconfig that is named, here or in ``KUBECONFIG``, else as the pod we run in, else with the
    default kubeconfig. ``account`` is who is named where a right is missing; in a pod it is the bot all the same.

    Nothing is sent yet. Raises ClusterError where the configuration cannot be used.
    """
    configuration = Configuration()
    try:
        file = str(kubeconfig or os.environ.get("KUBECONFIG", "")) or None
        in_pod = file is None and "KUBERNETES_SERVICE_HOST" in os.environ
        namespace = _of_pod(configuration) if in_pod else _of_file(configuration, file, context)
    except (
        config.ConfigException,
        OSError,
        yaml.YAMLError,
        AttributeError,
        TypeError,
    ) as e:  # the vendor checks little
        raise ClusterError(
            "The configuration of the Kubernetes client cannot be used.",
            hint="Name a kubeconfig that works with `kubectl`, or run the bot in a pod with a ServiceAccount.",
        ) from e
    client = client_of(configuration)
    client.account = THE_BOT if in_pod else account
    return Connection(client, namespace)


def client_of(configuration: Configuration) -> TimeoutClient:
    """Make a client that gives up in seconds, never retries by itself, and serves many threads."""
    configuration.retries = urllib3.Retry(0)
    configuration.connection_pool_maxsize = CONNECTIONS
    client = TimeoutClient(configuration)
    client.user_agent = "rolloutbot"
    return client


def _of_pod(configuration: Configuration) -> str:
    config.load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
    return _POD_NAMESPACE.read_text().strip()


def _of_file(configuration: Configuration, file: str | None, context: str | None) -> str:
    config.load_kube_config(file, context, configuration)  # type: ignore[no-untyped-call]
    contexts, active = config.list_kube_config_contexts(file)  # type: ignore[no-untyped-call]
    chosen = next((each for each in contexts if each["name"] == context), active)
    return chosen["context"].get("namespace") or "default"


@dataclass(frozen=True, slots=True)
class Resource:
    """A namespaced resource: the root of its API, its plural in the path, its kind for people."""

    root: str
    plural: str
    kind: str

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of an object, or of the collection where ``name`` is empty."""
        collection = f"{self.root}/namespaces/{quote(namespace, safe='')}/{self.plural}"
        return f"{collection}/{quote(name, safe='')}" if name else collection

    def label(self, namespace: str, name: str = "") -> str:
        """Name an object, or the collection, for people."""
        return f"{self.kind} `{namespace}/{name}`" if name else f"the {self.plural} of namespace `{namespace}`"


def get(api: ApiClient, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
    """Read one object."""
    return _ask(api, "GET", resource.path(namespace, name), what=resource.label(namespace, name))


def list_all(api: ApiClient, resource: Resource, namespace: str, *, labels: str = "") -> Sequence[dict[str, Any]]:
    """List the objects of a namespace in one call, those with ``labels`` (a selector) where it is given."""
    query = [("labelSelector", labels)] if labels else []
    return list_at(api, resource, namespace, query)[0]


def list_at(
    api: ApiClient, resource: Resource, namespace: str, query: Query = ()
) -> tuple[Sequence[dict[str, Any]], str]:
    """List the objects of a namespace in one call, and return the resourceVersion of the list too."""
    answer = _ask(api, "GET", resource.path(namespace), query=query, what=resource.label(namespace))
    return answer.get("items") or (), str((answer.get("metadata") or {}).get("resourceVersion") or "")


def patch(
    api: ApiClient, resource: Resource, namespace: str, name: str, operations: Sequence[dict[str, Any]], query: Query
) -> dict[str, Any]:
    """Send a JSON Patch, and return the object as it is then."""
    path, what = resource.path(namespace, name), resource.label(namespace, name)
    return _ask(api, "PATCH", path, query=query, body=list(operations), what=what)


class Stream:
    """An answer that goes on: one JSON document a line. ``cut`` ends it from another thread."""

    def __init__(self, response: Any, what: str) -> None:
        self._response, self._what = response, what

    def documents(self) -> Iterator[dict[str, Any]]:
        """Yield documents until the server ends its answer. Raises ClusterError where it breaks off."""
        rest = b""
        try:
            for part in self._response.stream(None):
                *lines, rest = (rest + part).split(b"\n")
                yield from (_document(line, self._what) for line in lines if line)
        except (urllib3.exceptions.HTTPError, OSError) as e:
            raise no_answer(e, self._what) from e

    def cut(self) -> None:
        """Let the reader see the end now."""
        connection = self._response.connection
        if connection is not None and connection.sock is not None:
            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)


@contextmanager
def stream(api: ApiClient, resource: Resource, namespace: str, query: Query, *, silence: float) -> Iterator[Stream]:
    """Open an answer that goes on; ``silence`` is how many seconds without a byte are its end. Raises ClusterError."""
    what = f"a watch of {resource.label(namespace)}"
    response = _send(api, "GET", resource.path(namespace), query, None, what, timeout=(CONNECT_SECONDS, silence))
    try:
        if response.status != 200:
            raise failure(response.status, response.read(), what)
        yield Stream(response.response, what)
    finally:
        response.response.close()


def _ask(
    api: ApiClient, method: str, path: str, *, query: Query = (), body: list[Any] | None = None, what: str
) -> dict[str, Any]:
    """Send one request and return the answer's JSON."""
    response = _send(api, method, path, query, body, what)
    try:
        data: bytes = response.read()
    except (urllib3.exceptions.HTTPError, OSError) as e:
        raise no_answer(e, what) from e
    if not 200 <= response.status <= 299:
        raise failure(response.status, data, what, getattr(api, "account", THE_BOT))
    return _document(data, what)


def _send(
    api: ApiClient,
    method: str,
    path: str,
    query: Query,
    body: list[Any] | None,
    what: str,
    *,
    timeout: tuple[float, float] | None = None,
) -> Any:
    """Send one request and return the vendor's response before its body is read."""
    headers = {"Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = JSON_PATCH
    try:
        request = api.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        return api.call_api(*request, _request_timeout=timeout)
    except (urllib3.exceptions.HTTPError, ApiException, config.ConfigException, OSError) as e:
        raise no_answer(e, what) from e


def _document(data: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as e:
        raise ClusterError(f"The API server answered with something that is not JSON (asked for {what}).") from e
    if not isinstance(document, dict):
        raise ClusterError(f"The API server answered with something that is no object (asked for {what}).")
    return document
