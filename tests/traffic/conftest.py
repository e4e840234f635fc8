"""One data plane for all tests here: Envoy, two endpoint pickers, four model servers, Helm and Prometheus."""

import secrets
from collections.abc import Callable, Iterator, Mapping

import pytest

from k8s.document import ANNOTATION
from sandbox.apiserver import api_server
from sandbox.dataplane.plane import ADAPTER, NAMESPACE, Plane, data_plane
from sandbox.dataplane.programs import programs
from sandbox.load.running import Load, load
from sandbox.model_servers import MODEL
from sandbox.objects import pool_ref, rule
from sandbox.rights import give_clean_rights, give_deploy_rights, give_rights, give_try_rights
from sandbox.slack import Slack
from sandbox.workplace import Workplace, workplace
from sandbox.world import CANARY, STABLE
from tests.scenarios.play import Play


@pytest.fixture(scope="package")
def whole_plane() -> Iterator[Plane]:
    """Return a data plane on an API server of its own: its node runs every pod that it finds."""
    with (
        workplace(prefix="tests") as place,
        api_server(place) as server,
        data_plane(server, programs(), place.folder / "plane") as plane,
    ):
        give_rights(plane.kube, NAMESPACE)
        give_try_rights(plane.kube, NAMESPACE)
        give_clean_rights(plane.kube, NAMESPACE)
        give_deploy_rights(plane.kube, NAMESPACE)
        yield plane


@pytest.fixture
def plane(whole_plane: Plane) -> Iterator[Plane]:
    """Return the data plane as it was at the beginning: all the traffic goes to the old pool."""
    yield whole_plane
    whole_plane.world.set_rules([rule([pool_ref(STABLE, 1)])])
    whole_plane.world.set_annotations({ANNOTATION: None})
    whole_plane.world.wait_observed()
    for pool in (STABLE, CANARY):
        whole_plane.wait_serving(pool, 2)


@pytest.fixture
def users(plane: Plane, place: Workplace, request: pytest.FixtureRequest) -> Iterator[Load]:
    """Return users who send ten requests a second."""
    folder = place.folder / f"load-{request.node.name[:60]}"
    with load(plane.url, folder, model=MODEL, adapter=ADAPTER) as running:
        yield running


@pytest.fixture
def play(plane: Plane, place: Workplace, redis_url: str, local_slack: Slack) -> Iterator[Play]:
    """Return people at a Slack, whose bots roll out on the data plane; none runs yet."""
    local_slack.reset()
    folder = place.folder / f"play-{secrets.token_hex(4)}"
    folder.mkdir()
    helm = {"ROLLOUTBOT_HELM": str(plane.programs.helm)}
    play = Play(local_slack, plane.world, plane.server, redis_url, folder, environment=helm)
    yield play
    play.close()


@pytest.fixture
def split(plane: Plane) -> Callable[[Mapping[str, int]], None]:
    """Return how to set the weights of pools on the route, and wait until the gateway says that it has them."""

    def set_weights(weights: Mapping[str, int]) -> None:
        plane.world.set_weights(dict(weights))
        plane.world.wait_observed()

    return set_weights
