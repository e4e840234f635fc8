"""From the filters of an HTTPRoute to Envoy's settings: pure functions."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from sandbox.dataplane.backends import Cluster, backend_of
from sandbox.dataplane.envoy import Resource

Filter = Mapping[str, Any]


class UnsupportedError(Exception):
    """This gateway has no such filter, so it does not accept the route."""


def mirrored(filters: Sequence[Filter]) -> list[Filter]:
    """Return the backendRefs that get a copy."""
    return [one["requestMirror"]["backendRef"] for one in filters if one["type"] == "RequestMirror"]


def route_filters(filters: Sequence[Filter], prefix: str, namespace: str, cluster: Cluster) -> Resource:
    """Return the settings of a rule's filters for a match of ``prefix``.

    Those of the forwarding itself are below ``route``.
    """
    found: Resource = {}
    route: Resource = {}
    for one in filters:
        match one["type"]:
            case "RequestHeaderModifier" | "ResponseHeaderModifier":
                found |= _headers(one)
            case "URLRewrite":
                route |= _rewrite(one["urlRewrite"], prefix)
            case "RequestMirror":
                mirror = _mirror(one["requestMirror"], namespace, cluster)
                route["request_mirror_policies"] = [*route.get("request_mirror_policies", []), *mirror]
            case "RequestRedirect":
                found["redirect"] = _redirect(one["requestRedirect"])
            case other:
                raise UnsupportedError(f"Filter {other} is not supported")
    return {**found, "route": route} if route else found


def backend_filters(filters: Sequence[Filter]) -> Resource:
    """Return the settings of one backendRef's filters."""
    found: Resource = {}
    for one in filters:
        if one["type"] not in ("RequestHeaderModifier", "ResponseHeaderModifier"):
            raise UnsupportedError(f"Filter {one['type']} is not supported in a backendRef")
        found |= _headers(one)
    return found


def _headers(one: Filter) -> Resource:
    """Return what a filter of headers adds, sets and removes."""
    way = "request" if one["type"] == "RequestHeaderModifier" else "response"
    change = one[f"{way}HeaderModifier"]
    added = [
        {"header": {"key": header["name"], "value": header["value"]}, "append_action": action}
        for key, action in (("set", "OVERWRITE_IF_EXISTS_OR_ADD"), ("add", "APPEND_IF_EXISTS_OR_ADD"))
        for header in change.get(key) or []
    ]
    return {f"{way}_headers_to_add": added, f"{way}_headers_to_remove": list(change.get("remove") or [])}


def _rewrite(change: Filter, prefix: str) -> Resource:
    found: Resource = {}
    if "hostname" in change:
        found["host_rewrite_literal"] = change["hostname"]
    path = change.get("path") or {}
    if path.get("type") == "ReplaceFullPath":
        found["regex_rewrite"] = {"pattern": {"regex": "^/[^?]*"}, "substitution": path["replaceFullPath"]}
    elif path.get("type") == "ReplacePrefixMatch":
        found["regex_rewrite"] = _replaced(prefix.rstrip("/"), path["replacePrefixMatch"].rstrip("/"))
    return found


def _replaced(prefix: str, by: str) -> Resource:
    """Return the rewrite of a path's prefix, whose parts stay apart: `/chat/x` becomes `/v1/x`, never `/v1x`."""
    rest = r"(/.*)?$" if by else r"/?(.*)$"
    return {"pattern": {"regex": f"^{re.escape(prefix)}{rest}"}, "substitution": rf"{by or '/'}\1"}


def _mirror(change: Filter, namespace: str, cluster: Cluster) -> list[Resource]:
    """Return the copy of a share of the requests: their pods take turns, since the picker is asked once only."""
    backend = backend_of(change["backendRef"], namespace, cluster)
    if backend.problem:
        return []
    fraction = change.get("fraction") or {"numerator": change.get("percent", 100)}
    share = {"numerator": round(fraction["numerator"] * 10_000 * 100 / fraction.get("denominator", 100))}
    return [
        {
            "cluster": backend.cluster,
            "runtime_fraction": {"default_value": {**share, "denominator": "MILLION"}},
        }
    ]


def _redirect(change: Filter) -> Resource:
    codes = {301: "MOVED_PERMANENTLY", 302: "FOUND", 303: "SEE_OTHER", 307: "TEMPORARY_REDIRECT"}
    code = codes.get(change.get("statusCode", 302))
    if code is None or "path" in change:
        raise UnsupportedError("A RequestRedirect of a path, or with this status, is not supported")
    found: Resource = {"response_code": code}
    names = {"hostname": "host_redirect", "port": "port_redirect", "scheme": "scheme_redirect"}
    return found | {ours: change[theirs] for theirs, ours in names.items() if theirs in change}
