"""Model servers of a sandbox's pods: each answers `GET /v1/models` at its pod's address, on loopback."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from sandbox.kube import Kube, Object, path_of

MODELS = "sandbox/models"
"""The annotation of a pod with the names of its models, with commas between them."""
MODEL = "meta-llama/Llama-3.1-8B-Instruct"


class _Answers(BaseHTTPRequestHandler):
    def __init__(self, kube: Kube, pod_path: str, *arguments: object) -> None:
        self._kube, self._pod_path = kube, pod_path
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Say which models the pod's annotation names."""
        annotations = self._kube.get(self._pod_path)["metadata"].get("annotations") or {}
        names = annotations.get(MODELS, MODEL).split(",")
        body = json.dumps({"object": "list", "data": [{"id": name, "object": "model"} for name in names]}).encode()
        self.send_response(200 if self.path == "/v1/models" else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def model_servers(kube: Kube, pods: Sequence[Object], port: int) -> Iterator[None]:
    """Run the model servers of some pods, each at its address and ``port``."""
    with ExitStack() as stack:
        for pod in pods:
            meta = pod["metadata"]
            answers = partial(_Answers, kube, path_of("v1", "Pod", meta["namespace"], meta["name"]))
            server = stack.enter_context(ThreadingHTTPServer((pod["status"]["podIP"], port), answers))
            stack.callback(server.shutdown)
            Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        yield
