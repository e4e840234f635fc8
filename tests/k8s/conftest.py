"""The bot's view of the real API server."""

from collections.abc import Iterator

import pytest
from kubernetes.client import ApiClient

from k8s.cluster import Cluster
from k8s.connection import connect
from sandbox.apiserver import ApiServer
from tests.k8s.build import NOW


@pytest.fixture(scope="session")
def api(api_server: ApiServer) -> Iterator[ApiClient]:
    """Return a connection that may do everything."""
    client = connect(api_server.kubeconfig()).api
    yield client
    client.rest_client.close()


@pytest.fixture
def cluster(api: ApiClient, namespace: str) -> Cluster:
    """Return the cluster in the test's namespace; its clock stands still."""
    return Cluster(api, [namespace], now=lambda: NOW)
