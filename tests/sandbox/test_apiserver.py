"""The control plane of the sandbox."""

from collections.abc import Callable

import pytest

from sandbox.apiserver import USERS, ApiServer
from sandbox.errors import ApiError
from sandbox.kube import Kube, path_of
from sandbox.rights import a_role, grant


def test_the_api_server_says_which_version_it_is(kube: Kube) -> None:
    assert kube.get("/version")["gitVersion"] == "v1.34.4"


def test_the_custom_resources_of_the_guide_are_served(kube: Kube) -> None:
    served = {
        crd["metadata"]["name"] for crd in kube.get("/apis/apiextensions.k8s.io/v1/customresourcedefinitions")["items"]
    }

    assert served >= {
        "gatewayclasses.gateway.networking.k8s.io",
        "gateways.gateway.networking.k8s.io",
        "httproutes.gateway.networking.k8s.io",
        "inferencepools.inference.networking.k8s.io",
        "referencegrants.gateway.networking.k8s.io",
    }


@pytest.mark.parametrize("user", sorted(set(USERS) - {"admin"}))
def test_only_the_admin_may_read_without_being_given_a_role(api_server: ApiServer, namespace: str, user: str) -> None:
    client = api_server.client(user)

    with pytest.raises(ApiError, match="403: pods is forbidden"):
        client.get(path_of("v1", "Pod", namespace))


def test_a_role_bound_to_the_service_account_opens_what_it_names_and_no_more(
    api_server: ApiServer, namespace: str
) -> None:
    bot = api_server.client("rolloutbot")
    grant(api_server.client(), namespace, a_role({"apiGroups": [""], "resources": ["pods"], "verbs": ["list"]}))

    assert bot.get(path_of("v1", "Pod", namespace))["items"] == []
    with pytest.raises(ApiError, match="403: pods is forbidden"):
        bot.get(path_of("v1", "Pod", "default"))


def test_the_kubeconfig_is_enough_for_the_official_client(api_server: ApiServer, namespace: str) -> None:
    from kubernetes import client, config

    file = str(api_server.kubeconfig(namespace=namespace))
    connect: Callable[..., client.ApiClient] = config.new_client_from_config
    with connect(file, persist_config=False) as connection:
        found = client.CoreV1Api(connection).read_namespace(namespace)

    assert found.to_dict()["metadata"]["name"] == namespace
