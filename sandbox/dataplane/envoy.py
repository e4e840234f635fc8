"""Envoy as a process that is configured by files, and what it says of the configuration that it has taken."""

import hashlib
import json
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import urllib3

from sandbox.errors import SandboxError
from sandbox.process import Server, free_ports

Resource = dict[str, Any]

_TYPES = "type.googleapis.com/envoy.config."
CLUSTER = f"{_TYPES}cluster.v3.Cluster"
LISTENER = f"{_TYPES}listener.v3.Listener"
ROUTES = f"{_TYPES}route.v3.RouteConfiguration"
ENDPOINTS = f"{_TYPES}endpoint.v3.ClusterLoadAssignment"
TAKEN_SECONDS = 5.0
POLL_SECONDS = 0.002


@dataclass(frozen=True)
class Config:
    """All that Envoy is told. ``routes`` and ``endpoints`` are named as listeners and clusters name them."""

    clusters: Sequence[Resource] = field(default_factory=list)
    endpoints: Mapping[str, Resource] = field(default_factory=dict)
    listeners: Sequence[Resource] = field(default_factory=list)
    routes: Mapping[str, Resource] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """What Envoy did not take: the listeners and clusters, and tables of routes by name."""

    listeners: bool = False
    tables: frozenset[str] = frozenset()


def file_of(kind: str, name: str = "") -> str:
    """Return the file with the resources of a kind: ``cds``, ``lds``, or one of ``rds`` and ``eds`` by name."""
    return f"{kind}_{re.sub(r'[^a-z0-9-]', '_', name)}.json" if name else f"{kind}.json"


class Envoy:
    """Its files lie in ``folder``. A file is always replaced as a whole: Envoy overlooks one that is written to."""

    def __init__(self, binary: Path, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        (self._admin_port,) = free_ports(1)
        self._folder = folder
        self._verdicts: dict[str, tuple[str, bool]] = {}
        self._refused: dict[str, int] = {}
        self._http = urllib3.PoolManager(retries=False, timeout=2.0)
        (folder / "bootstrap.json").write_text(json.dumps(self._bootstrap()))
        flags = ["--concurrency", "1", "--use-dynamic-base-id", "--disable-hot-restart", "-l", "warning"]
        self.server = Server("envoy", [binary, "-c", folder / "bootstrap.json", *flags], folder)

    def source(self, kind: str, name: str = "") -> Resource:
        """Return how a listener or a cluster names a file of this Envoy."""
        path = {"path": str(self._folder / file_of(kind, name)), "watched_directory": {"path": str(self._folder)}}
        return {"resource_api_version": "V3", "path_config_source": path}

    def start(self) -> None:
        """Start it without any route."""
        self._write("cds", "", CLUSTER, [])
        self._write("lds", "", LISTENER, [])
        self.server.start()
        self.server.wait_ready(lambda: "LIVE" in self._ask("/ready"))

    def stop(self) -> None:
        """End it at once."""
        self.server.kill()
        self._http.clear()

    def take(self, before: Config, now: Config) -> Refused:
        """Bring a new configuration in, without a moment in which a route names a cluster that is not there.

        Returns what of it Envoy has refused: there the old one stays. Raises SandboxError if Envoy says nothing.
        """
        for name, endpoints in now.endpoints.items():
            self._write("eds", name, ENDPOINTS, [endpoints])
        names = {cluster["name"] for cluster in now.clusters}
        going = [cluster for cluster in before.clusters if cluster["name"] not in names]
        is_taken = self._change("cds", "", CLUSTER, [*now.clusters, *going], "cluster_manager.cds")
        for name in now.routes.keys() - before.routes.keys():
            self._write("rds", name, ROUTES, [now.routes[name]])  # read as soon as the listener names it
        listens = self._change("lds", "", LISTENER, now.listeners, "listener_manager.lds")
        tables = frozenset(
            name
            for name, routes in now.routes.items()
            if not listens or not self._change("rds", name, ROUTES, [routes], f"http.{name}.rds.{name}")
        )
        if is_taken and not tables:
            is_taken = self._change("cds", "", CLUSTER, now.clusters, "cluster_manager.cds")
        return Refused(listeners=not (is_taken and listens), tables=tables)

    def _change(self, kind: str, name: str, resource: str, values: Sequence[Resource], stat: str) -> bool:
        """Write a file, if it is another one, and return whether Envoy has taken it."""
        file = file_of(kind, name)
        version = self._write(kind, name, resource, values)
        known = self._verdicts.get(file)
        if known is None or known[0] != version:
            self._verdicts[file] = (version, self._verdict(file, version, stat))
        return self._verdicts[file][1]

    def _verdict(self, file: str, version: str, stat: str) -> bool:
        """Wait until Envoy has taken a version or refused it."""
        deadline = time.monotonic() + TAKEN_SECONDS
        while time.monotonic() < deadline:
            if f'{stat}.version_text: "{version}"' in self._ask("/stats?type=TextReadouts&filter=version_text"):
                return True
            refusals = self._refusals(stat)
            if refusals > self._refused.get(stat, 0):
                self._refused[stat] = refusals
                return False
            time.sleep(POLL_SECONDS)
        raise SandboxError(f"Envoy has neither taken nor refused {file}.")

    def _refusals(self, stat: str) -> int:
        found = re.search(re.escape(stat) + r"\.update_rejected: (\d+)", self._ask("/stats?filter=update_rejected"))
        return int(found[1]) if found else 0

    def _write(self, kind: str, name: str, resource: str, values: Sequence[Resource]) -> str:
        """Replace a file, if it is another one, and return its version."""
        version = hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:12]
        file = self._folder / file_of(kind, name)
        text = json.dumps({"version_info": version, "resources": [{"@type": resource, **value} for value in values]})
        if not file.exists() or file.read_text() != text:
            draft = file.with_suffix(".new")
            draft.write_text(text)
            draft.rename(file)
        return version

    def _ask(self, path: str) -> str:
        with suppress(urllib3.exceptions.HTTPError):
            return self._http.request("GET", f"http://127.0.0.1:{self._admin_port}{path}").data.decode()
        return ""

    def _bootstrap(self) -> Resource:
        admin = {"socket_address": {"address": "127.0.0.1", "port_value": self._admin_port}}
        return {
            "node": {"id": "sandbox", "cluster": "sandbox"},
            "admin": {"address": admin},
            "dynamic_resources": {"cds_config": self.source("cds"), "lds_config": self.source("lds")},
            "static_resources": {"clusters": [NO_PICKER]},
        }


HTTP2 = {
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
}
NO_PICKER: Resource = {
    "name": "no-picker",
    "type": "STATIC",
    "load_assignment": {"cluster_name": "no-picker"},
    "typed_extension_protocol_options": HTTP2,
}
"""Where the filter for endpoint pickers points, until the chosen pool overrides it."""


@contextmanager
def envoy(binary: Path, folder: Path) -> Iterator[Envoy]:
    """Run an Envoy."""
    running = Envoy(binary, folder)
    try:
        running.start()
        yield running
    finally:
        running.stop()
