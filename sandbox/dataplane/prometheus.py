"""A real Prometheus that scrapes the pods of a data plane."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import urllib3

from sandbox.process import Server, free_ports

SCRAPE_SECONDS = 1


@dataclass(frozen=True)
class Prometheus:
    """A running Prometheus."""

    url: str
    server: Server

    def query(self, promql: str) -> list[dict[str, Any]]:
        """Return the result of a query at this moment."""
        answer = urllib3.request(
            "GET", f"{self.url}/api/v1/query", fields={"query": promql}, retries=False, timeout=3.0
        ).json()
        result: list[dict[str, Any]] = answer["data"]["result"]
        return result


@contextmanager
def prometheus(binary: Path, targets: Path, folder: Path, *, rules: Path | None = None) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes what the file ``targets`` names. It looks into that file at most each 5 s.

    ``rules`` is a file of alert rules; Prometheus does not start if it cannot read them.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (port,) = free_ports(1)
    job = {"job_name": "pods", "file_sd_configs": [{"files": [str(targets)]}]}
    times = {"scrape_interval": f"{SCRAPE_SECONDS}s", "scrape_timeout": f"{SCRAPE_SECONDS}s"}
    # JSON is YAML too.
    settings = {"global": times, "scrape_configs": [job], "rule_files": [str(rules)] if rules else []}
    (folder / "prometheus.yml").write_text(json.dumps(settings))
    flags = [
        f"--config.file={folder / 'prometheus.yml'}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--storage.tsdb.retention.time=6h",
        "--log.level=warn",
    ]
    running = Prometheus(f"http://127.0.0.1:{port}", Server("prometheus", [binary, *flags], folder))
    try:
        running.server.start()
        running.server.wait_ready(lambda: _is_ready(running.url))
        yield running
    finally:
        running.server.kill()


def _is_ready(url: str) -> bool:
    try:
        return urllib3.request("GET", f"{url}/-/ready", retries=False, timeout=1.0).status == 200
    except urllib3.exceptions.HTTPError:
        return False
