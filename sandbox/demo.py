"""``python -m sandbox demo``: a sandbox with the bot in it, for people who want to see a rollout."""

import re
import time

from bot.terminal.answer import unix_user
from sandbox.bot_process import bot_process
from sandbox.install import say
from sandbox.process import Server
from sandbox.running import running
from sandbox.signals import stop_on_signals
from sandbox.world import CANARY

POLICY = """\
# The demo is fast: a step every 20 s, and 40 s at 100 % before the old pool leaves the route.
namespaces: [default]
plan: {steps: [10, 25, 50, 100], every: 20s, bake: 40s}
approvals: {at: [50, 100], needed: 1, requester_may_approve: false}
"""

ALICE = "U0ALICE001"

WELCOME = """
  Slack       {slack}
              You are Alice. In #inference, type:

                /rollout start {canary} 10

              It steps up every 20 s. At 50 % somebody else has to approve: choose
              Bob under "Act as", and press Approve.

  The route   .venv/bin/python -m sandbox route
  The bot     kill -9 {pid}   it is started again, and the same card goes on
              its log: {log}
  Meddle      .venv/bin/python -m sandbox ...
                edit 60 40     somebody else edits the weights: it pauses and says who
                flush          Valkey forgets everything: the same card goes on
                stop valkey    Valkey hangs: Roll back still works; `start valkey`
                stop slack     Slack hangs: the rollout goes on; `start slack`
                break roles    the new pool cannot serve; see `/rollout check {canary}`
                mend           takes that back; `break --help` lists seven more ways
  A terminal  eval "$(.venv/bin/python -m sandbox env)"   you are Alice there too
              .venv/bin/rolloutbot status

  Ctrl-C ends everything.
"""


def demo(name: str | None) -> None:
    """Run a sandbox and the bot until somebody stops it. A bot that dies is started again."""
    stop_on_signals()
    say("Starting etcd, kube-apiserver, Valkey, Slack and the bot ...")
    with running(name, policy=policy()) as sandbox:
        replica = bot_process("bot", sandbox.folder, sandbox.environment())
        bot = replica.server
        bot.start()
        bot.wait_ready(replica.is_ready)
        print(WELCOME.format(slack=sandbox.slack_url, canary=CANARY, pid=bot.pid, log=bot.log), flush=True)
        try:
            _keep_alive(bot)
        finally:
            bot.terminate(seconds=10)


def policy() -> str:
    """Return the demo's policy. It maps the current user to Alice, if a policy can hold the user's name."""
    user = unix_user()
    known = f"{user}: {ALICE}" if re.fullmatch(r"[A-Za-z_][\w.-]{0,31}", user, re.ASCII) else ""
    return f"{POLICY}terminal: {{users: {{{known}}}}}\n"


def _keep_alive(bot: Server) -> None:
    while True:
        if not bot.alive():
            bot.start()
            say(f"The bot had ended; it runs again as process {bot.pid}.")
        time.sleep(0.5)
