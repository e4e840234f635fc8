"""A whole sandbox: an API server, a Valkey and a Slack, and the guide's world with a robot in it."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox.apiserver import ApiServer, api_server
from sandbox.bot_process import NOTE_KEY
from sandbox.kube import Kube
from sandbox.model_servers import model_servers
from sandbox.process import free_ports
from sandbox.robot import robot
from sandbox.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Mode, Slack, local_slack
from sandbox.valkey import Valkey, valkey
from sandbox.workplace import Workplace, workplace
from sandbox.world import CANARY, STABLE, World, create_world


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: its parts, and the addresses a bot needs."""

    place: Workplace
    api_server: ApiServer
    valkey: Valkey
    slack: Slack
    kube: Kube
    kubeconfig: Path
    mode: Mode
    policy: Path | None = None
    bot_token: str = BOT_TOKEN
    app_token: str = APP_TOKEN
    signing_secret: str = SIGNING_SECRET
    note_key: str = NOTE_KEY
    published: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """Return the name of the sandbox."""
        return self.place.name

    @property
    def folder(self) -> Path:
        """Return the folder with the files of its servers."""
        return self.place.folder

    @property
    def world(self) -> World:
        """Return the guide's world, which `played_world` and the data plane build."""
        return World(self.kube, "default")

    @property
    def redis_url(self) -> str:
        """Return the address of Valkey."""
        return self.valkey.url()

    @property
    def slack_url(self) -> str:
        """Return the address of Slack's page, for a browser."""
        return self.slack.url

    @property
    def slack_api_url(self) -> str:
        """Return the base address of Slack's Web API."""
        return self.slack.api_url

    def environment(self) -> dict[str, str]:
        """Return the variables that point a bot at this sandbox."""
        variables = {
            "KUBECONFIG": str(self.kubeconfig),
            "REDIS_URL": self.redis_url,
            "SLACK_API_URL": self.slack_api_url,
            "SLACK_BOT_TOKEN": self.bot_token,
            "SLACK_SIGNING_SECRET": self.signing_secret,
            "ROLLOUTBOT_NOTE_KEYS": self.note_key,
        }
        if self.mode == "socket":
            variables["SLACK_APP_TOKEN"] = self.app_token
        if self.policy is not None:
            variables["ROLLOUTBOT_CONFIG"] = str(self.policy)
        return variables

    def publish(self, **more: str) -> None:
        """Tell the other commands where everything is; ``more`` is kept beside what was told before."""
        self.published.update(more)
        api = self.api_server
        self.place.publish(
            {
                "name": self.name,
                "slack_url": self.slack_url,
                "api_server": {"url": api.url, "ca": str(api.ca), "token": api.tokens["admin"]},
                "environment": self.environment(),
                **self.published,
            }
        )


@contextmanager
def servers(
    name: str | None = None, *, mode: Mode = "socket", request_url: str = "", policy: str = ""
) -> Iterator[Sandbox]:
    """Run a sandbox whose cluster is empty. Other commands find one by its name, or take the newest.

    ``policy`` is the text of a policy file for the bot.
    """
    with (
        workplace(name) as place,
        api_server(place) as control_plane,
        valkey(place) as redis,
        local_slack(place, mode=mode, request_url=request_url) as slack,
        closing(control_plane.client()) as kube,
    ):
        file = _written(place, policy) if policy else None
        sandbox = Sandbox(place, control_plane, redis, slack, kube, control_plane.kubeconfig(), mode, file)
        sandbox.publish()
        yield sandbox


@contextmanager
def played_world(sandbox: Sandbox) -> Iterator[None]:
    """Build the guide's world, with a robot that plays the kubelet and the gateway: no request is answered."""
    (port,) = free_ports(1)
    world = create_world(sandbox.kube, port=port)
    pods = [pod for pool in (STABLE, CANARY) for pod in world.servers(pool)]
    with robot(sandbox.kube), model_servers(sandbox.kube, pods, port):
        world.wait_observed()
        yield


@contextmanager
def running(
    name: str | None = None, *, mode: Mode = "socket", request_url: str = "", policy: str = ""
) -> Iterator[Sandbox]:
    """Run a sandbox with the guide's world in it. Two may run side by side."""
    with servers(name, mode=mode, request_url=request_url, policy=policy) as sandbox, played_world(sandbox):
        yield sandbox


def _written(place: Workplace, policy: str) -> Path:
    file = place.folder / "policy.yaml"
    file.write_text(policy)
    return file
