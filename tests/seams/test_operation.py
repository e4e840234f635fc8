"""An operation from one file of its own, in the whole product: Slack, its card, a terminal, kill -9, a deadline."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import typer
import urllib3
import yaml
from typer.testing import CliRunner

from bot.cli import add_operations, add_verbs
from bot.operations.registry import Registry
from bot.store.connection import connect
from k8s.connection import connect as connect_cluster
from sandbox.apiserver import ApiServer
from sandbox.kube import path_of
from sandbox.process import Server, free_ports, wait_until
from sandbox.rights import give_rights
from sandbox.slack import APP_TOKEN, BOT_TOKEN, Slack
from sandbox.valkey import INSTALL
from sandbox.workplace import Workplace
from sandbox.world import World
from tests.builders import ALICE, BOB
from tests.memory import PREFIX, a_memory
from tests.scenarios.play import Bot, Play, ended
from tests.seams.copy_config_maps import LABEL, ConfigMaps, CopyConfigMaps
from tests.shell import ME

RBAC = "rbac.authorization.k8s.io"
RIGHT = {"apiGroups": [""], "resources": ["configmaps"], "verbs": ["get", "list", "create", "delete"]}
"""What this executor needs beyond the bot's own rights."""


@dataclass
class Copying:
    """A play whose bots have one executor more than the product."""

    play: Play

    def bot(self, *, within: int = 600, **policy: Any) -> Bot:
        """Start a bot that can copy."""
        play, at = self.play, f"127.0.0.1:{free_ports(1)[0]}"
        file = play.folder / "policy.yaml"
        file.write_text(yaml.safe_dump({"namespaces": [play.world.namespace], **policy}))
        env = {
            **self.reach,
            "ROLLOUTBOT_CONFIG": str(file),
            "ROLLOUTBOT_PROBES": at,
            "SLACK_API_URL": play.slack.api_url,
            "SLACK_BOT_TOKEN": BOT_TOKEN,
            "SLACK_APP_TOKEN": APP_TOKEN,
            "COPY_NAMESPACE": play.world.namespace,
            "COPY_WITHIN": str(within),
        }
        command = [sys.executable, "-m", "tests.seams.copy_config_maps"]
        bot = Bot(Server(f"bot-{len(play.bots)}", command, play.folder, env), "", at)
        play.bots.append(bot)
        bot.start()
        # Until the leader has declared it whole, an empty Redis counts as one that has lost data.
        wait_until("a whole Redis", a_memory(play.redis_url).store.is_whole)
        return bot

    @property
    def reach(self) -> dict[str, str]:
        """Return how the servers are reached."""
        kubeconfig = str(self.play.api_server.kubeconfig("rolloutbot"))
        return {"KUBECONFIG": kubeconfig, "REDIS_URL": self.play.redis_url, "ROLLOUTBOT_INSTALL": INSTALL}

    def sees(self, headword: str) -> None:
        """Wait until the only card's title says so."""
        self.until(f"a card with {headword!r}", lambda: self.titles() == [f"copy models  ·  {headword}"])

    def titles(self) -> list[str]:
        return [str(card["blocks"][0]["text"]["text"]) for card in self.play.cards()]

    def until(self, what: str, happened: Callable[[], bool]) -> None:
        """Wait for anything, and show the bot's log where it does not happen."""
        self.play.until(f"{what} (copies: {self.copies()})", happened, seconds=30)

    def press(self, label: str, user: str = BOB) -> None:
        """Press the only button of the card."""
        card = self.play.card()
        (actions,) = [block for block in card["blocks"] if block["type"] == "actions"]
        (button,) = actions["elements"]
        assert button["text"]["text"] == label
        where = {"block_id": actions["block_id"], "user": user}
        self.play.slack.press(card["ts"], button["action_id"], button["value"], **where)

    def copies(self) -> list[str]:
        items = self.play.world.kube.get(path_of("v1", "ConfigMap", self.play.world.namespace))["items"]
        return sorted(each["metadata"]["name"] for each in items if LABEL in (each["metadata"].get("labels") or {}))

    def shell(self, *words: str) -> tuple[int, str]:
        """Type a command in a terminal that knows the executor too."""
        app, policy = typer.Typer(), self.play.folder / "policy.yaml"
        api = connect_cluster(self.reach["KUBECONFIG"]).api
        registry = Registry((CopyConfigMaps(ConfigMaps(api, self.play.world.namespace)),))
        add_verbs(app, registry)
        add_operations(app, registry)
        result = CliRunner().invoke(app, words, env={**self.reach, "ROLLOUTBOT_CONFIG": str(policy)})
        return result.exit_code, result.output


@pytest.fixture
def copying(
    place: Workplace, api_server: ApiServer, world: World, redis_url: str, local_slack: Slack
) -> Iterator[Copying]:
    local_slack.reset()
    give_rights(world.kube, world.namespace)
    about = {"name": "copy-configmaps", "namespace": world.namespace}
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": about, "rules": [RIGHT]}
    bot = [{"kind": "ServiceAccount", "name": "rolloutbot", "namespace": "rolloutbot"}]
    to = {"apiGroup": RBAC, "kind": "Role", "name": about["name"]}
    binding = {"apiVersion": f"{RBAC}/v1", "kind": "RoleBinding", "metadata": about, "subjects": bot, "roleRef": to}
    models = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {**about, "name": "models"}, "data": {"a": "1"}}
    for document in (role, binding, models):
        world.kube.create(document)
    folder = place.folder / world.namespace
    folder.mkdir()
    play = Play(local_slack, world, api_server, redis_url, folder)
    yield Copying(play)
    play.close()


def test_it_is_begun_in_slack_and_its_card_follows_it_to_the_end(copying: Copying) -> None:
    copying.bot()
    copying.play.say('copy models count=2 reason="for the new nodes"', ALICE)
    copying.sees("done")
    copying.play.tells(
        f"<@{ALICE}> started it: “for the new nodes”",
        "Copy 1 of 2 is there.",
        "`copy models`: *Done*. All 2 copies are there.",
    )
    assert copying.copies() == ["models-copy-1", "models-copy-2"]


def test_status_and_metrics_name_it_and_a_click_cancels_it(copying: Copying) -> None:
    bot = copying.bot()
    copying.play.say("copy models count=9 every=60", ALICE)
    copying.until("a copy", lambda: copying.copies() == ["models-copy-1"])
    copying.sees("running")
    metrics = urllib3.request("GET", f"http://{bot.probes}/metrics", retries=False).data.decode()
    assert 'rolloutbot_operations{phase="running"} 1.0' in metrics
    copying.play.say("status")
    copying.until("status", lambda: any("`copy models`  running" in said for said in copying.play.private()))
    copying.press("Cancel")
    copying.sees("cancelled")
    assert copying.copies() == []
    copying.play.tells(
        f"<@{ALICE}> started it.",
        "Copy 1 of 9 is there.",
        f"<@{BOB}> cancelled it.",
        "models-copy-1 is deleted.",
        "*Cancelled*, what was done is taken back. No copy is left.",
    )


@pytest.mark.parametrize("end", [lambda bot: bot.server.kill(), lambda bot: ended(bot, seconds=10)], ids=["9", "TERM"])
def test_a_bot_that_ends_leaves_it_to_the_next_one_with_the_same_card(
    copying: Copying, end: Callable[[Bot], object]
) -> None:
    bot = copying.bot()
    copying.play.say("copy models count=6 every=1", ALICE)
    copying.until("two copies", lambda: len(copying.copies()) >= 2)
    copying.sees("running")
    card = copying.play.card()["ts"]
    end(bot)
    with connect(copying.play.redis_url) as client:
        client.delete(f"{PREFIX}lease")  # as if the dead one's had run out: test_leadership.py waits for that
    bot.start()
    copying.sees("done")
    assert (copying.play.card()["ts"], len(copying.copies())) == (card, 6)
    copying.until("the thread", lambda: len(copying.play.thread()) == 7)


def test_its_deadline_passes_and_what_is_left_is_cleaned_up_after_a_question(copying: Copying) -> None:
    copying.bot(within=3)
    copying.play.say("copy models count=9 every=60", ALICE)
    copying.sees("failed")
    (card,) = copying.play.cards()
    assert "*Left to do:* Copies that are there stay" in card["blocks"][1]["text"]["text"]
    copying.press("Clean up")
    copying.sees("cancelled")
    assert copying.copies() == []


def test_a_terminal_begins_one_follows_it_and_cancels_another(copying: Copying) -> None:
    copying.bot(terminal={"users": {ME: ALICE}})
    copying.until("the lead", copying.play.bots[0].leads)
    code, output = copying.shell("copy", "models", "count=2", "--channel", "C0INFER001", "--output", "json")
    answer = json.loads(output)
    operation = answer["operations"][0]
    assert (code, answer["message"]) == (0, f"`copy models` (`{operation['id']}`) is done.")
    assert (operation["phase"], operation["progress"][-1]) == ("done", "All 2 copies are there.")
    copying.sees("done")
    code, output = copying.shell("copy", "models", "count=9", "every=60", "--wait", "0")
    assert (code, " is running. It has until " in output) == (0, True)
    running = copying.shell("status")[1].split()
    assert running[:3] == ["copy", "models", "running"]
    assert copying.shell("why", running[3])[1].startswith(f"`copy models` (`{running[3]}`) is running. It has until ")
    code, output = copying.shell("cancel", "models")
    assert (code, output.splitlines()[0].endswith("is cancelled.")) == (0, True)


def test_help_lists_it_in_slack_and_in_a_terminal(copying: Copying) -> None:
    copying.bot()
    copying.play.say("help")
    lines = "copy SUBJECT [count=… every=… reason=…]", "copy a ConfigMap some times"
    told = f"`/rollout {lines[0]}`\n{lines[1]}"
    copying.until("help", lambda: any(told in said for said in copying.play.private()))
    code, output = copying.shell("help")
    assert (code, f"`rolloutbot {lines[0]}`\n{lines[1]}" in output) == (0, True)


def test_somebody_who_may_not_run_things_is_refused_in_both(copying: Copying) -> None:
    copying.bot(access={"run": [BOB]})
    copying.play.say("copy models", ALICE)
    refused = f"You may not `copy` here. Ask <@{BOB}>."
    copying.play.told(refused)
    code, output = copying.shell("copy", "models")
    assert (code, f"Unix user `{ME}`" in output, copying.copies()) == (1, True, [])
