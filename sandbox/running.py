"""A whole sandbox: the guide's world with a robot, a Valkey and a Slack."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.apiserver import ApiServer, api_server
from sandbox.bot_process import NOTE_KEY
from sandbox.model_servers import model_servers
from sandbox.process import free_ports
from sandbox.robot import Robot, robot
from sandbox.slack import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, Mode, Slack, local_slack
from sandbox.valkey import Valkey, valkey
from sandbox.workplace import Workplace, workplace
from sandbox.world import CANARY, STABLE, World, create_world


@dataclass(frozen=True)
class Sandbox:
    """A running sandbox: its parts, and the addresses a bot needs."""

    name: str
    folder: Path
    api_server: ApiServer
    valkey: Valkey
    slack: Slack
    world: World
    robot: Robot
    kubeconfig: Path
    mode: Mode
    policy: Path | None = None
    bot_token: str = BOT_TOKEN
    app_token: str = APP_TOKEN
    signing_secret: str = SIGNING_SECRET
    note_key: str = NOTE_KEY

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


@contextmanager
def running(
    name: str | None = None, *, mode: Mode = "socket", request_url: str = "", policy: str = ""
) -> Iterator[Sandbox]:
    """Run a sandbox. Two may run side by side; other commands find one by its name, or take the newest.

    ``policy`` is the text of a policy file for the bot.
    """
    with (
        workplace(name) as place,
        api_server(place) as control_plane,
        valkey(place) as redis,
        local_slack(place, mode=mode, request_url=request_url) as slack,
    ):
        kube = control_plane.client()
        (port,) = free_ports(1)
        world = create_world(kube, port=port)
        pods = [pod for pool in (STABLE, CANARY) for pod in world.servers(pool)]
        with robot(kube) as player, model_servers(kube, pods, port):
            world.wait_observed()
            kubeconfig = control_plane.kubeconfig()
            file = _written(place, policy) if policy else None
            parts = control_plane, redis, slack, world, player, kubeconfig
            sandbox = Sandbox(place.name, place.folder, *parts, mode, file)
            _publish(place, sandbox)
            yield sandbox


def _written(place: Workplace, policy: str) -> Path:
    file = place.folder / "policy.yaml"
    file.write_text(policy)
    return file


def _publish(place: Workplace, sandbox: Sandbox) -> None:
    api = sandbox.api_server
    place.publish(
        {
            "name": sandbox.name,
            "slack_url": sandbox.slack_url,
            "api_server": {"url": api.url, "ca": str(api.ca), "token": api.tokens["admin"]},
            "environment": sandbox.environment(),
        }
    )
