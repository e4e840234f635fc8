"""``python -m sandbox pictures``: the guide's use cases and the gates as stories, and the pictures of the docs."""

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import urllib3

from sandbox import demo
from sandbox.acting import ALICE, People
from sandbox.bot_process import bot_process
from sandbox.dataplane.live_world import behave
from sandbox.dataplane.plane import ADAPTER, Plane, data_plane
from sandbox.dataplane.pod_process import port_of
from sandbox.dataplane.programs import chart_path, helm_path, programs
from sandbox.errors import SandboxError
from sandbox.folders import CHECKOUT
from sandbox.install import say
from sandbox.load.running import load
from sandbox.model_servers import MODEL
from sandbox.process import wait_until
from sandbox.running import Sandbox, servers
from sandbox.signals import stop_on_signals
from sandbox.slack import INFERENCE
from sandbox.world import CANARY, STABLE

POLICY: Final = """\
namespaces: [default]
plan: {steps: [10, 50, 100], every: 8s, bake: 5s}
approvals: {at: [50]}
clean: {allowed: true, model_servers: true, keep_for: 8h, drained_for: 3s}
deploy:
  charts: {inferencepool: charts/inferencepool}
  keys: [servers.*, inferenceExtension.*]
  model_servers: "{pool}"
"""
NODES, SGLANG = f"{STABLE}-h200", f"{STABLE}-sglang"
FOLDER: Final = CHECKOUT / "docs" / "pictures"
SIZE: Final = "760,900"
WITH_THREAD: Final = "1240,900"
EMPTY: Final = 40_000
"""Bytes of a picture with nothing on it, and some more."""
PAGE_MS: Final = 4000
"""How long Slack's page gets to draw itself."""


@dataclass(frozen=True)
class Story(People):
    """People at a Slack, and a camera."""

    plane: Plane
    folder: Path

    def picture(self, name: str) -> None:
        """Take a picture of the channel as it is now."""
        self._picture(name, self.slack.url, SIZE)

    def thread_picture(self, name: str) -> None:
        """Take a picture of the channel with the thread beside it in which something was said last."""
        newest = next(each for each in reversed(self.slack.messages()) if each.get("thread_ts"))
        at, thread = str(newest["ts"]).replace(".", ""), newest["thread_ts"]
        self._picture(
            name, f"{self.slack.url}/archives/{INFERENCE}/p{at}?thread_ts={thread}&cid={INFERENCE}", WITH_THREAD
        )

    def _picture(self, name: str, url: str, size: str) -> None:
        say(f"{name}.png")
        file = self.folder / f"{name}.png"
        wait_until(name, lambda: _shoot(file, url, size), seconds=120)


def _shoot(file: Path, url: str, size: str) -> bool:
    """Take a picture of a page; False if the page was not there yet, which then has hardly anything on it."""
    page = f"--screenshot={file}", f"--window-size={size}", f"--virtual-time-budget={PAGE_MS}"
    command = [browser(), "--headless=new", "--no-sandbox", "--hide-scrollbars", *page, url]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return file.stat().st_size > EMPTY


def pictures() -> None:
    """Take every picture. Raises SandboxError if there is no browser."""
    stop_on_signals()
    browser()
    FOLDER.mkdir(exist_ok=True)
    with _story(lambda metrics: POLICY, rate=4.0) as story:
        base_model(story)
        nodes(story)
        framework(story)
    with _story(demo.policy, rate=demo.USERS_RATE) as story:
        gates(story)


def base_model(story: Story) -> None:
    """Show that a start without one of the adapters is stopped."""
    for pod in story.plane.pods(CANARY):
        address = f"http://{pod['status']['podIP']}:{port_of(pod)}/v1/unload_lora_adapter"
        urllib3.request("POST", address, json={"lora_name": ADAPTER})
    story.say(f"start {CANARY} 10")
    story.see("lacks the LoRA adapter")
    story.say(f"check {CANARY}")
    story.see("cannot start")
    story.picture("base-model-stopped")


def nodes(story: Story) -> None:
    """Show the guide's own story on new nodes, from the deployment to the deletion."""
    story.say(f"deploy {NODES} from={STABLE} set servers.replicas=1 servers.nodeSelector.accelerator=h200")
    story.see("wants approval")
    story.picture("nodes-deploy")
    story.press("operation_approve")
    story.see("can take traffic")
    story.picture("nodes-deployed")
    story.say(f"try 20 {NODES}")
    story.see("No user's request was touched")
    story.picture("nodes-try")
    story.say(f'start {NODES} 10 mirror=10 reason="H200 nodes"')
    story.see("gets a copy of 10 %")
    story.picture("nodes-mirror")
    story.see("50 % needs 1 approval")
    story.picture("nodes-approval")
    story.press("rollout_approve")
    story.see("It is kept until")
    story.picture("nodes-finished")
    story.press("operation_clean", ALICE)
    story.press("operation_approve")
    story.see("All of it is deleted")
    story.picture("nodes-cleaned")


def framework(story: Story) -> None:
    """Show how a pool of another model server differs."""
    story.say(f"deploy {SGLANG} from={NODES} set servers.image=lmsysorg/sglang:v0.5.4 servers.args.--tp=1")
    story.see("lmsysorg/sglang")
    story.picture("framework-deploy")


def gates(story: Story) -> None:
    """Show a vote, and a new pool that fails requests and goes back by itself."""
    story.say(f"start {CANARY} 10")
    story.see("gates pass")
    story.say(f"compare {CANARY}")
    story.see("of 3 people")
    story.thread_picture("gates-votes")
    for pod in story.plane.pods(CANARY):
        behave(pod, fails=0.1)
    story.see("Rolled back automatically")
    story.thread_picture("gates-rolled-back")


def browser() -> str:
    """Return the program that draws pages. Raises SandboxError."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if found is None:
        raise SandboxError("No Chromium is installed, so nobody can take pictures of Slack's page.")
    return found


@contextmanager
def _story(policy: Callable[[str], str], *, rate: float) -> Iterator[Story]:
    """Run a bot with a policy, which is made of where Prometheus answers; users ask ``rate`` times a second."""
    with servers(policy=POLICY) as sandbox, _traffic(sandbox, rate) as plane:
        if sandbox.policy is not None:
            sandbox.policy.write_text(policy(plane.prometheus.url))
        (sandbox.folder / "charts").symlink_to(chart_path().parent)  # so that no picture has a path of this machine
        bot = bot_process("bot", sandbox.folder, {**sandbox.environment(), "ROLLOUTBOT_HELM": str(helm_path())})
        bot.server.start()
        try:
            bot.server.wait_ready(bot.is_ready)
            yield Story(sandbox.slack, plane, FOLDER)
        finally:
            bot.server.terminate(seconds=10)


@contextmanager
def _traffic(sandbox: Sandbox, rate: float) -> Iterator[Plane]:
    with (
        data_plane(sandbox.api_server, programs(), sandbox.folder / "plane") as plane,
        load(plane.url, sandbox.folder / "load", model=MODEL, adapter=ADAPTER, rate=rate),
    ):
        yield plane
