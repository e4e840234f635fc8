"""What is said of a cluster without the custom resources; what the bot may do is in tests/manifests."""

import contextlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from kubernetes.client import Configuration

from k8s.connection import client_of
from k8s.rights import Rights, rights_of

GATEWAY, POOL = "gateway.networking.k8s.io/v1", "inference.networking.k8s.io/v1"
ALL = {GATEWAY: ["httproutes"], POOL: ["inferencepools"]}
NO_ROUTES = f"The cluster does not serve `httproutes` of {GATEWAY}. {{}}".format(
    "Install the CustomResourceDefinitions of the Gateway API."
)
NO_POOLS = f"The cluster does not serve `inferencepools` of {POOL}. {{}}".format(
    "Install the CustomResourceDefinition of InferencePool v1."
)


@contextlib.contextmanager
def serving(resources: dict[str, list[str]]) -> Iterator[str]:
    """Run an API server that allows everything, knows nobody's name, and serves these resources by group."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            groups = [{"versions": [{"groupVersion": version}]} for version in resources]
            names = resources.get(self.path.removeprefix("/apis/"), [])
            self._answer(200, {"groups": groups, "resources": [{"name": name} for name in names]})

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(404 if "selfsubjectreviews" in self.path else 201, {"status": {"allowed": True}})

        def _answer(self, status: int, document: dict[str, Any]) -> None:
            body = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def rights(resources: dict[str, list[str]]) -> Rights:
    with serving(resources) as url:
        api = client_of(Configuration(host=url))
        found = rights_of(api, ["models"])
        api.rest_client.close()
        return found


def test_a_cluster_that_serves_everything_lacks_nothing_and_an_old_one_does_not_say_who_asks() -> None:
    assert rights(ALL) == Rights("The account of this kubeconfig", ("models",), ())


def test_custom_resources_that_are_not_installed_are_named() -> None:
    assert rights({}).missing == (NO_ROUTES, NO_POOLS)


def test_a_group_that_serves_other_resources_is_not_enough() -> None:
    assert rights({**ALL, GATEWAY: ["gateways"]}).missing == (NO_ROUTES,)
