"""Requests to the Kubernetes API server: the one way to ask it something, and a watch."""

import json
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

import urllib3
from kubernetes import config
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException

from bot.domain.errors import ClusterError
from k8s.connection import CONNECT_SECONDS
from k8s.credentials import doubt
from k8s.document import FIELD_MANAGER
from k8s.failure import THE_BOT, failure, no_answer

JSON_PATCH: Final = "application/json-patch+json"
ANY_VERSION: Final = "0"
"""The resourceVersion for what the API server has in its cache: a moment old, but answered at once."""

Query = Sequence[tuple[str, str]]
Body = bytes | dict[str, Any]

_AS_GO: Final = str.maketrans({character: f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"})
"""What Go writes as an escape in JSON, of all that Python would write as it is."""


@dataclass(frozen=True, slots=True)
class Resource:
    """A resource: the root of its API, its plural in the path, its kind for people. No namespace: cluster-scoped."""

    root: str
    plural: str
    kind: str

    def path(self, namespace: str, name: str = "") -> str:
        """Return the path of an object, or of the collection where ``name`` is empty."""
        scope = f"/namespaces/{quote(namespace, safe='')}" if namespace else ""
        collection = f"{self.root}{scope}/{self.plural}"
        return f"{collection}/{quote(name, safe='')}" if name else collection

    def label(self, namespace: str, name: str = "") -> str:
        """Name an object, or the collection, for people."""
        if not namespace:
            return f"{self.kind} `{name}`" if name else f"the {self.plural}"
        return f"{self.kind} `{namespace}/{name}`" if name else f"the {self.plural} of namespace `{namespace}`"


def get(api: ApiClient, resource: Resource, namespace: str, name: str) -> dict[str, Any]:
    """Read one object."""
    return _ask(api, "GET", resource.path(namespace, name), what=resource.label(namespace, name))


def read_namespace(api: ApiClient, name: str) -> dict[str, Any]:
    """Read a namespace itself."""
    return _ask(api, "GET", f"/api/v1/namespaces/{quote(name, safe='')}", what=f"namespace `{name}`")


def list_all(
    api: ApiClient, resource: Resource, namespace: str, *, labels: str = "", version: str = ""
) -> Sequence[dict[str, Any]]:
    """List the objects of a namespace in one call, those with ``labels`` (a selector) where it is given.

    They are as new as the newest write before this call, which may take up to 100 ms to know; or no older than
    ``version``.
    """
    query = [("labelSelector", labels), ("resourceVersion", version)]
    return list_at(api, resource, namespace, [(name, value) for name, value in query if value])[0]


def list_at(
    api: ApiClient, resource: Resource, namespace: str, query: Query = ()
) -> tuple[Sequence[dict[str, Any]], str]:
    """List the objects of a namespace in one call, and return the resourceVersion of the list too."""
    answer = _ask(api, "GET", resource.path(namespace), query=query, what=resource.label(namespace))
    return answer.get("items") or (), str((answer.get("metadata") or {}).get("resourceVersion") or "")


def patch(
    api: ApiClient, resource: Resource, namespace: str, name: str, operations: Sequence[dict[str, Any]], query: Query
) -> dict[str, Any]:
    """Send a JSON Patch, and return the patched object.

    A ``test`` compares encoded bytes. So every text in it is encoded as the server does it, in Go.
    """
    path, what = resource.path(namespace, name), resource.label(namespace, name)
    body = json.dumps(operations, ensure_ascii=False, separators=(",", ":")).translate(_AS_GO).encode()
    return _ask(api, "PATCH", path, query=query, body=body, what=what)


def create(api: ApiClient, resource: Resource, namespace: str, document: dict[str, Any]) -> dict[str, Any]:
    """Make an object. Raises RaceError if there is one of that name."""
    name = str(document["metadata"]["name"])
    query = [("fieldManager", FIELD_MANAGER), ("fieldValidation", "Strict")]
    what = resource.label(namespace, name)
    return _ask(api, "POST", resource.path(namespace), query=query, body=document, what=what)


def delete(api: ApiClient, resource: Resource, namespace: str, name: str, uid: str) -> None:
    """Delete the object with this uid. Raises GoneError if it is gone, RaceError if another one has its name."""
    body: dict[str, Any] = {"preconditions": {"uid": uid}}
    _ask(api, "DELETE", resource.path(namespace, name), body=body, what=resource.label(namespace, name))


def fetch(api: ApiClient, path: str, *, what: str) -> dict[str, Any]:
    """Read something that is not a namespaced object, such as the list of API groups."""
    return _ask(api, "GET", path, what=what)


def ask_pod(api: ApiClient, namespace: str, pod: str, path: str, *, seconds: float, most: int) -> bytes:
    """Ask a pod (name:port) through the API server, and return at most ``most`` + 1 bytes of its answer.

    Raises ClusterError if the API server or the pod does not give it in time.
    """
    what = f"pod `{namespace}/{pod}`"
    where = f"/api/v1/namespaces/{quote(namespace, safe='')}/pods/{quote(pod, safe=':')}/proxy{path}"
    response = _send(api, "GET", where, (), None, what, timeout=(seconds, seconds))
    in_time = threading.Timer(seconds, Stream(response.response, what).cut)
    in_time.start()
    try:
        body: bytes = response.response.read(most + 1)
    except (urllib3.exceptions.HTTPError, OSError) as e:
        raise no_answer(e, what) from e
    finally:
        in_time.cancel()
        response.response.close()
    if response.status != HTTPStatus.OK:
        raise failure(response.status, body, what)
    return body


def review(api: ApiClient, group: str, kind: str, spec: dict[str, Any]) -> dict[str, Any]:
    """Send a review, such as a SelfSubjectAccessReview, and return its status."""
    version, plural = f"{group}/v1", f"{kind.lower()}s"
    question = {"apiVersion": version, "kind": kind, "spec": spec}
    answer = _ask(api, "POST", f"/apis/{version}/{plural}", body=question, what=f"a {kind}")
    return answer.get("status") or {}


class ExpiredError(Exception):
    """The version to go on from is too old: list again."""


class Stream:
    """An open-ended answer: the events of a watch, one a line. ``cut`` ends it from another thread."""

    def __init__(self, response: Any, what: str) -> None:
        self._response, self._what = response, what

    def events(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield what happened, and to which object, until the server ends its answer.

        Raises ClusterError if the answer breaks off or the server says that it failed, and ExpiredError.
        """
        for line in self._lines():
            event = _document(line, self._what)
            kind, seen = str(event.get("type")), event.get("object") or {}
            if kind == "ERROR":
                raise _no_watch(int(seen.get("code") or 500), json.dumps(seen).encode(), self._what)
            yield kind, seen

    def _lines(self) -> Iterator[bytes]:
        rest = b""
        try:
            for part in self._response.stream(None):
                *lines, rest = (rest + part).split(b"\n")
                yield from filter(None, lines)
        except (urllib3.exceptions.HTTPError, OSError) as e:
            raise no_answer(e, self._what) from e

    def cut(self) -> None:
        """Make the reader see the end now."""
        sock = getattr(self._response.connection, "sock", None)
        if isinstance(sock, socket.socket):
            with suppress(OSError):
                # Not TLS's own shutdown, which would break the connection under the reader.
                socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _no_watch(code: int, body: bytes, what: str) -> Exception:
    """Return the error that a watch ends with; the server sends it as its answer, or as the last event."""
    return ExpiredError() if code == HTTPStatus.GONE else failure(code, body, what)


@contextmanager
def stream(api: ApiClient, resource: Resource, namespace: str, query: Query, *, silence: float) -> Iterator[Stream]:
    """Open a watch; ``silence`` seconds without a byte end it. Raises ClusterError, ExpiredError."""
    what = f"a watch of {resource.label(namespace)}"
    response = _send(api, "GET", resource.path(namespace), query, None, what, timeout=(CONNECT_SECONDS, silence))
    try:
        if response.status != HTTPStatus.OK:
            _doubt_token(api, response.status)
            raise _no_watch(response.status, response.read(), what)
        yield Stream(response.response, what)
    finally:
        response.response.close()


def _ask(
    api: ApiClient, method: str, path: str, *, query: Query = (), body: Body | None = None, what: str
) -> dict[str, Any]:
    """Send one request and return the answer's JSON."""
    response = _send(api, method, path, query, body, what)
    try:
        data: bytes = response.read()
    except (urllib3.exceptions.HTTPError, OSError) as e:
        raise no_answer(e, what) from e
    if not 200 <= response.status <= 299:
        _doubt_token(api, response.status)
        retry_after = response.headers.get("Retry-After")
        raise failure(response.status, data, what, getattr(api, "account", THE_BOT), retry_after=retry_after)
    return _document(data, what)


def _send(
    api: ApiClient,
    method: str,
    path: str,
    query: Query,
    body: Body | None,
    what: str,
    *,
    timeout: tuple[float, float] | None = None,
) -> Any:
    """Send one request and return the vendor's response before its body is read."""
    headers = {"Accept": "application/json"}
    if body is not None:
        headers["Content-Type"] = JSON_PATCH if method == "PATCH" else "application/json"
    try:
        request = api.param_serialize(
            method, path, query_params=list(query), header_params=headers, body=body, auth_settings=["BearerToken"]
        )
        return api.call_api(*request, _request_timeout=timeout)
    except (urllib3.exceptions.HTTPError, ApiException, config.ConfigException, OSError) as e:
        raise no_answer(e, what) from e


def _doubt_token(api: ApiClient, status: int) -> None:
    if status == 401:
        doubt(api.configuration)


def _document(data: bytes, what: str) -> dict[str, Any]:
    try:
        document = json.loads(data)
    except ValueError as e:
        raise ClusterError(f"The API server answered with something that is not JSON (asked for {what}).") from e
    if not isinstance(document, dict):
        raise ClusterError(f"The API server answered with something that is not an object (asked for {what}).")
    return document
