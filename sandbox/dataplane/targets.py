"""What Prometheus scrapes, with the labels that a PodMonitor and a ServiceMonitor would give: pure functions."""

from collections.abc import Iterable, Sequence

from sandbox.dataplane.images import METRICS_PORT
from sandbox.dataplane.pod_process import PodProcess
from sandbox.dataplane.slices import selects
from sandbox.kube import Object

METRICS_NAME = "http-metrics"
"""The port of a picker's Service that its chart lets Prometheus scrape."""


def targets(processes: Iterable[PodProcess], services: Sequence[Object]) -> list[Object]:
    """Return one target for each pod."""
    ordered = sorted(processes, key=lambda process: str(process.pod["metadata"]["name"]))
    return [_target(process, services) for process in ordered]


def _target(process: PodProcess, services: Sequence[Object]) -> Object:
    meta = process.pod["metadata"]
    labels = {"namespace": meta["namespace"], "pod": meta["name"]}
    if process.program.http_probe is not None:
        labels["job"] = (meta.get("labels") or {}).get("app", "")
        port = process.program.http_probe[0]
    else:
        name = next((one["metadata"]["name"] for one in services if _is_scraped(one) and selects(one, process.pod)), "")
        labels |= {"job": name, "service": name}
        port = process.program.port(METRICS_PORT)
    return {"targets": [f"{process.address}:{port}"], "labels": labels}


def _is_scraped(service: Object) -> bool:
    return any(port.get("name") == METRICS_NAME for port in service["spec"].get("ports") or [])
