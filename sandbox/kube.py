"""A small client of the Kubernetes API: plain dictionaries in and out, as kubectl prints them."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import urllib3

from sandbox.errors import ApiError

Object = dict[str, Any]

JSON = "application/json"
JSON_PATCH = "application/json-patch+json"
MERGE_PATCH = "application/merge-patch+json"
APPLY = "application/apply-patch+yaml"

PLURALS = {"GatewayClass": "gatewayclasses", "ValidatingAdmissionPolicy": "validatingadmissionpolicies"}
CLUSTER_KINDS = {
    "Namespace",
    "GatewayClass",
    "ClusterRole",
    "ClusterRoleBinding",
    "CustomResourceDefinition",
    "ValidatingAdmissionPolicy",
    "ValidatingAdmissionPolicyBinding",
    "ValidatingWebhookConfiguration",
}


def path_of(api_version: str, kind: str, namespace: str = "", name: str = "") -> str:
    """Return the path of an object, or of a collection if ``name`` is empty."""
    parts = ["/apis" if "/" in api_version else "/api", api_version]
    if namespace and kind not in CLUSTER_KINDS:
        parts += ["namespaces", namespace]
    parts.append(PLURALS.get(kind, kind.lower() + "s"))
    return "/".join([*parts, name] if name else parts)


def path_of_object(obj: Mapping[str, Any]) -> str:
    """Return the path of an object that has apiVersion, kind and name."""
    meta = obj["metadata"]
    return path_of(obj["apiVersion"], obj["kind"], meta.get("namespace", "default"), meta["name"])


class Kube:
    """One user's view of an API server; safe to use from many threads."""

    def __init__(self, url: str, token: str, ca: Path) -> None:
        self._url = url
        self._headers = {"Authorization": f"Bearer {token}", "Accept": JSON}
        self._pool = urllib3.PoolManager(
            maxsize=16, ca_certs=str(ca), retries=False, timeout=urllib3.Timeout(connect=2, read=30)
        )

    def close(self) -> None:
        """Close the connections."""
        self._pool.clear()

    def get(self, path: str) -> Object:
        """Return an object or a list."""
        return self._request("GET", path)

    def create(self, obj: Object) -> Object:
        """Create an object."""
        return self._request("POST", path_of_object(obj).rpartition("/")[0], obj)

    def post(self, path: str, body: Object) -> Object:
        """Send an object to a subresource, such as a service account's token, and return the answer."""
        return self._request("POST", path, body)

    def ask(self, review: Object) -> Object:
        """Send a review, such as a SubjectAccessReview, and return the answer. It creates no object."""
        return self._request("POST", path_of(review["apiVersion"], review["kind"]), review)

    def replace(self, obj: Object, *, manager: str = "sandbox") -> Object:
        """Replace an object. Raises ApiError 409 if it has changed since it was read."""
        return self._request("PUT", f"{path_of_object(obj)}?fieldManager={manager}", obj)

    def apply(self, obj: Object) -> Object:
        """Create an object or change it to what ``obj`` says (server-side apply)."""
        return self._request("PATCH", path_of_object(obj) + "?fieldManager=sandbox&force=true", obj, APPLY)

    def apply_file(self, path: str, text: bytes) -> Object:
        """Apply an object from YAML text."""
        return self._request("PATCH", path + "?fieldManager=sandbox&force=true", text, APPLY)

    def merge(self, path: str, change: Object) -> Object:
        """Change an object by a merge patch."""
        return self._request("PATCH", path, change, MERGE_PATCH)

    def patch(self, path: str, operations: Sequence[Object]) -> Object:
        """Change an object by a JSON Patch."""
        return self._request("PATCH", path, list(operations), JSON_PATCH)

    def delete(self, path: str, *, missing_ok: bool = True, grace_seconds: int | None = None, uid: str = "") -> None:
        """Delete an object; with ``uid``, only if it is still the same one."""
        options: Object = {} if grace_seconds is None else {"gracePeriodSeconds": grace_seconds}
        if uid:
            options["preconditions"] = {"uid": uid}
        try:
            self._request("DELETE", path, {"apiVersion": "v1", "kind": "DeleteOptions", **options})
        except ApiError as error:
            if not (missing_ok and error.status == 404):
                raise

    def exists(self, path: str) -> bool:
        """Return whether there is such an object."""
        try:
            self.get(path)
        except ApiError as error:
            if error.status != 404:
                raise
            return False
        return True

    def unready(self) -> str:
        """Return what the server still waits for; empty once it is ready."""
        response = self._pool.request("GET", self._url + "/readyz", headers=self._headers)
        return "" if response.status == 200 else response.data.decode(errors="replace")

    @contextmanager
    def watching(self, path: str, version: str) -> Iterator[tuple[Iterator[Object], Callable[[], None]]]:
        """Yield the events after ``version``, and a function that ends them from another thread."""
        query = f"?watch=1&allowWatchBookmarks=true&timeoutSeconds=240&resourceVersion={version}"
        response = self._pool.request(
            "GET", self._url + path + query, headers=self._headers, preload_content=False, timeout=300.0
        )
        if response.status >= 400:
            raise _refusal(response.status, response.read())
        try:
            yield _events(response), response.shutdown
        finally:
            response.close()

    def _request(self, method: str, path: str, body: Any = None, content_type: str = JSON) -> Object:
        data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
        headers = {**self._headers, "Content-Type": content_type}
        response = self._pool.request(method, self._url + path, body=data, headers=headers)
        if response.status >= 400:
            raise _refusal(response.status, response.data)
        result: Object = json.loads(response.data)
        return result


def _events(response: urllib3.BaseHTTPResponse) -> Iterator[Object]:
    buffer = b""
    for chunk in response.stream(None):
        *lines, buffer = (buffer + chunk).split(b"\n")
        for line in lines:
            yield json.loads(line)


def _refusal(status: int, body: bytes) -> ApiError:
    try:
        message = str(json.loads(body).get("message", ""))
    except ValueError:
        message = body.decode(errors="replace")[:300]
    return ApiError(status, message)
