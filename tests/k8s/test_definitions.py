"""CustomResourceDefinitions that do not stay, on an API server of their own."""

from contextlib import closing

from bot.domain.check import Grade
from k8s.connection import connect
from k8s.installed import lines, list_definitions
from sandbox.apiserver import api_server
from sandbox.binaries import crds
from sandbox.kube import Object, path_of
from sandbox.process import wait_until
from sandbox.workplace import workplace

API = "apiextensions.k8s.io/v1"
ROUTES, POOLS = "httproutes.gateway.networking.k8s.io", "inferencepools.inference.networking.k8s.io"


def accepted(definition: Object) -> list[str]:
    """Return whether the names of a definition are accepted; nothing before anybody knows."""
    conditions = definition.get("status", {}).get("conditions") or []
    return [each["status"] for each in conditions if each["type"] == "NamesAccepted"]


def test_a_definition_that_ends_or_whose_names_are_taken_stops_a_start() -> None:
    with workplace(prefix="tests") as place, api_server(place) as server, closing(server.client()) as kube:
        api = connect(server.kubeconfig()).api
        routes, pools = (path_of(API, "CustomResourceDefinition", name=name) for name in (ROUTES, POOLS))

        def stops() -> list[str]:
            return [line.text for line in lines(list_definitions(api)) if line.grade is Grade.STOP]

        assert stops() == []
        definition = kube.get(pools)
        kube.delete(pools)
        wait_until("no InferencePools", lambda: not kube.exists(pools), seconds=20)
        names = {**definition["spec"]["names"], "plural": "impostors", "singular": "impostor", "shortNames": []}
        name = f"impostors.{POOLS.partition('.')[2]}"
        about = {"name": name, "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}}
        spec = {**definition["spec"], "names": names}
        kube.create({"apiVersion": API, "kind": "CustomResourceDefinition", "metadata": about, "spec": spec})
        impostor = path_of(API, "CustomResourceDefinition", name=name)
        wait_until("the impostor's names", lambda: "True" in accepted(kube.get(impostor)), seconds=20)
        (file,) = [file for file in crds() if "inferencepools" in file.name]
        kube.apply_file(pools, file.read_bytes())
        wait_until("names that are taken", lambda: bool(stops()), seconds=20)
        (said,) = stops()
        assert said.startswith(f"CustomResourceDefinition `{POOLS}` is not served as it is: ")
        assert said.endswith(" is already in use. Mend it first.")

        kube.merge(routes, {"metadata": {"finalizers": ["example.com/hold"]}})
        kube.delete(routes)
        ending = f"CustomResourceDefinition `{ROUTES}` is being deleted, and all its objects with it."
        assert stops()[0] == f"{ending} Install it again first."
