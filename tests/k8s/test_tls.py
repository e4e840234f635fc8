"""How connections to the API server check its certificate."""

from typing import Any

from k8s.connection import connect
from sandbox.apiserver import ApiServer


def test_connections_of_several_threads_share_no_tls_context(api_server: ApiServer) -> None:
    api = connect(api_server.kubeconfig()).api
    ask: Any = api.rest_client.request
    answers = [ask("GET", f"{api_server.url}/livez").response for _ in range(2)]
    contexts = {answer.connection.ssl_context for answer in answers}
    for answer in answers:
        answer.close()
    assert len(contexts) == 2
