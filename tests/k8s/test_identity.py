from pathlib import Path

import pytest
from kubernetes.client import Configuration

from bot.domain.errors import ClusterError
from k8s.connection import connect
from k8s.identity import cluster_mark, cluster_uid
from sandbox.apiserver import ApiServer
from sandbox.fault_proxy import FaultProxy
from sandbox.faults import Fault
from sandbox.kube import Kube


def test_a_cluster_has_the_uid_of_kube_system_for_those_who_may_read_it(api_server: ApiServer, kube: Kube) -> None:
    uid = kube.get("/api/v1/namespaces/kube-system")["metadata"]["uid"]
    assert cluster_uid(connect(api_server.kubeconfig()).api) == uid
    assert cluster_uid(connect(api_server.kubeconfig("stranger")).api) == ""


def test_an_api_server_that_is_away_tells_no_id_and_refuses_none(proxy: FaultProxy) -> None:
    with proxy.failing(Fault.REFUSED), pytest.raises(ClusterError):
        cluster_uid(connect(proxy.kubeconfig()).api)


def test_a_cluster_has_one_mark_whoever_asks_and_at_whatever_address(api_server: ApiServer, tmp_path: Path) -> None:
    admin = connect(api_server.kubeconfig()).api.configuration
    in_pod = Configuration(host="https://10.96.0.1:443")
    in_pod.ssl_ca_cert = str(tmp_path / "ca.crt")
    Path(in_pod.ssl_ca_cert).write_text(f"# of the cluster\n{api_server.ca.read_text()}\n\n")
    assert cluster_mark(admin) == cluster_mark(in_pod)
    assert cluster_mark(in_pod).startswith("ca-")


def test_a_cluster_without_an_authority_of_its_own_has_its_address_for_a_mark() -> None:
    one, other = (cluster_mark(Configuration(host=f"https://{host}")) for host in ("one.example.com", "b.example.com"))
    assert (one[:8], other[:8], one == other) == ("address-", "address-", False)
