"""``python -m sandbox demo``: a sandbox with the bot in it, for people who want to see a rollout."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

from bot.terminal.answer import unix_user
from sandbox.bot_process import BotProcess, bot_process
from sandbox.dataplane.plane import ADAPTER, NAMESPACE, data_plane
from sandbox.dataplane.programs import chart_path, helm_path, programs
from sandbox.errors import SandboxError
from sandbox.install import say
from sandbox.load.running import load
from sandbox.model_servers import MODEL
from sandbox.objects import model_servers
from sandbox.process import Server
from sandbox.running import Sandbox, played_world, servers
from sandbox.signals import stop_on_signals
from sandbox.world import CANARY, STABLE

POLICY = """\
# The demo is fast: a step every 20 s, and 40 s at 100 % before the old pool leaves the route.
namespaces: [default]
plan: {steps: [10, 25, 50, 100], every: 20s, bake: 40s}
approvals: {at: [50, 100], needed: 1, requester_may_approve: false}
clean: {allowed: true, drained_for: 10s}
deploy:
  charts: {inferencepool: CHART}
  keys: [inferencePool.modelServers.matchLabels.*, inferenceExtension.*]
compare:
  voters: 3
  tokens: 30
  prompts:
    - Explain in two sentences what a KV cache is.
    - Write a friendly reply to a customer whose parcel is late.
    - What is 17 times 23? Show how you got there.
gates: {quality: {required: false}}
"""

EVIDENCE = """\
# Its gates are as fast: they judge from 3 s after a change on, and roll back what lasts longer than 8 s.
evidence: {prometheus: "METRICS", window: 45s, settle: 3s, forgives: 8s, requests: 5}
"""

NEXT = f"{STABLE}-next"
"""A pool that people may deploy: its model servers are there, as in the guide."""

ALICE = "U0ALICE001"

OPEN = """
  Slack       {slack}
              The page is there already; the cluster is on its way.
"""

WELCOME = """
  Slack       {slack}
              You are Alice. In #inference, type:

                /rollout start {canary} 10

              It steps up every 20 s. At 50 % somebody else has to approve: choose
              Bob under "Act as", and press Approve. `/rollout try 20 {canary}`
              asks the new pool alone before the start, and tells its share later.
              `/rollout compare` puts both pools' answers into a thread, where
              three people vote which are better, without knowing whose they are.
              When it is finished, `/rollout clean` deletes the old pool.
{deploy}
  The route   .venv/bin/python -m sandbox route
{traffic}  The bot     kill -9 {pid}   it is started again, and the same card goes on
              its log: {log}
  Meddle      .venv/bin/python -m sandbox ...
                edit 60 40     somebody else edits the weights: it pauses and says who
                flush          Valkey forgets everything: the same card goes on
                stop valkey    Valkey hangs: Roll back still works; `start valkey`
                stop slack     Slack hangs: the rollout goes on; `start slack`
                break roles    the new pool cannot serve; see `/rollout check {canary}`
                mend           takes that back; `break --help` lists seven more ways
{worse}  A terminal  eval "$(.venv/bin/python -m sandbox env)"   you are Alice there too
              .venv/bin/rolloutbot status

  Ctrl-C ends everything.
"""

DEPLOY = f"""\
              `/rollout deploy {NEXT} from={CANARY}`
              installs one more pool, for the model servers that are there.
"""

WORSE = """\
                canary --fail-rate 0.1   the new pool fails a tenth: it goes back by
                               itself, and says why (or --ttft 3x, --cut-rate 0.3)
                gateway ignores-weights  it pauses and names the gateway
"""

TRAFFIC = """\
  Traffic     .venv/bin/python -m sandbox traffic   who answered in the last 30 s
"""

USERS_RATE = 15.0
"""Requests a second: enough to see shares, and cheap on a laptop."""


def demo(name: str | None) -> None:
    """Run a sandbox and the bot until somebody stops it. A bot that dies is started again."""
    stop_on_signals()
    say("Starting etcd, kube-apiserver, Valkey, Slack and the bot ...")
    with servers(name, policy=policy()) as sandbox:
        environment = {**sandbox.environment(), "ROLLOUTBOT_HELM": str(helm_path())}
        replica = bot_process("bot", sandbox.folder, environment)
        bot = replica.server
        bot.start()
        try:
            bot.wait_ready(replica.is_ready)
            print(OPEN.format(slack=sandbox.slack_url), flush=True)
            with _world(sandbox) as metrics:
                whole = {"traffic": TRAFFIC, "deploy": DEPLOY, "worse": WORSE}
                more = whole if metrics else dict.fromkeys(whole, "")
                if metrics:
                    _judge_by(metrics, sandbox, replica)
                known = {"slack": sandbox.slack_url, "canary": CANARY, "pid": bot.pid, "log": bot.log}
                print(WELCOME.format(**known, **more), flush=True)
                _keep_alive(bot)
        finally:
            bot.terminate(seconds=10)


def _judge_by(metrics: str, sandbox: Sandbox, replica: BotProcess) -> None:
    """Start the bot anew with gates that judge the traffic by its numbers."""
    if sandbox.policy is not None:
        sandbox.policy.write_text(policy(metrics))
    replica.server.terminate(seconds=10)
    replica.server.start()
    replica.server.wait_ready(replica.is_ready)


@contextmanager
def _world(sandbox: Sandbox) -> Iterator[str]:
    """Build the guide's world with traffic, if all programs can be had; yields where Prometheus is, or nothing."""
    try:
        found = programs()
    except SandboxError as error:
        say(f"{error}\nThe demo goes on without traffic.")
        with played_world(sandbox):
            yield ""
        return
    say("Starting Envoy, two endpoint pickers, four model servers and Prometheus ...")
    with (
        data_plane(sandbox.api_server, found, sandbox.folder / "plane") as plane,
        load(plane.url, sandbox.folder / "load", model=MODEL, adapter=ADAPTER, rate=USERS_RATE) as users,
    ):
        plane.kube.create(model_servers(NEXT, NAMESPACE, 2, plane.port, adapters=[ADAPTER]))
        sandbox.publish(gateway=plane.url, ledger=str(users.file), prometheus=plane.prometheus.url)
        yield plane.prometheus.url


def policy(metrics: str = "") -> str:
    """Return the demo's policy. It maps the current user to Alice, if a policy can hold the user's name.

    ``metrics`` is where Prometheus answers; without one no gate judges numbers.
    """
    user = unix_user()
    known = f"{user}: {ALICE}" if re.fullmatch(r"[A-Za-z_][\w.-]{0,31}", user, re.ASCII) else ""
    evidence = EVIDENCE.replace("METRICS", metrics) if metrics else ""
    return f"{POLICY.replace('CHART', str(chart_path()))}{evidence}terminal: {{users: {{{known}}}}}\n"


def _keep_alive(bot: Server) -> None:
    while True:
        if not bot.alive():
            bot.start()
            say(f"The bot had ended; it runs again as process {bot.pid}.")
        time.sleep(0.5)
