"""The terminal on a real API server and a real Valkey: the same engine and policy as in Slack, and no Slack."""

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from typer.testing import CliRunner

from bot.__main__ import app
from bot.config.settings import TerminalSettings, read_as
from bot.domain.commands.request import CANCEL, VOTE, Command
from bot.domain.errors import UserError
from bot.domain.plan import Wishes
from bot.domain.prose import plain
from bot.domain.rollout import Phase
from bot.domain.sentences import what_happened
from bot.domain.verbs.registry import verbs
from bot.operations.registry import EXECUTORS
from bot.service.assembly import shared_parts
from bot.service.parts import put_together
from bot.store.clock import SystemClock
from bot.store.connection import connect
from bot.store.installs import InstallIdentity, Installs
from bot.store.names import SlackNames
from bot.terminal.answer import Exit
from bot.terminal.commands import Commands
from sandbox.apiserver import ApiServer
from sandbox.gateway import Answer
from sandbox.objects import pool_ref
from sandbox.process import wait_until
from sandbox.robot import Robot
from tests.builders import ALICE, BOB, CANARY, STABLE
from tests.memory import PREFIX, prefix
from tests.shell import ME, NOWHERE, Terminal
from tests.stage import Meddler, Stage


def timeless(text: str) -> str:
    return re.sub(r"\d\d [A-Z][a-z]{2} \d\d:\d\d UTC", "TIME", text)


def test_a_start_tells_its_warnings_and_one_that_is_held_says_why(stage: Stage, terminal: Terminal) -> None:
    terminal.write_policy(f"terminal: {{users: {{{ME}: {BOB}}}}}")
    stage.world.add_route("second", [pool_ref(STABLE)], path="/second")
    stage.world.set_servers_ready(CANARY, 0)
    code, output = terminal("start", CANARY, "10", f"route={stage.world.route}")
    lack = f"InferencePool `{stage.world.namespace}/{CANARY}` has no ready model server: 0 of 2 pods are Ready."
    other = f"HTTPRoute `{stage.world.namespace}/second` also sends to `{STABLE}`, and stays there."
    assert (code, output.splitlines()[:3]) == (
        Exit.UNCONFIRMED,
        [
            f"`{CANARY}` is holding at 0 %: {lack}",
            "No bot leads now: steps, deadlines and cards wait for one.",
            f"Warning: {other} Roll it out too before you delete that pool.",
        ],
    )


def test_a_rollout_begins_and_is_rolled_back_without_slack(stage: Stage, terminal: Terminal) -> None:
    terminal.write_policy(f"terminal: {{users: {{{ME}: {BOB}}}}}")
    code, output = terminal("start", CANARY, "10", "steps=10,50,100", 'reason=H100 "nodes" &amp; <@U1>')
    rollout = stage.store.entries()[0].rollout
    assert (code, stage.world.weights()) == (0, [(STABLE, 90), (CANARY, 10)])
    assert (
        timeless(output)
        == f"""\
`{CANARY}` is progressing at 10 %; that is on the route, and the gateway accepts it.
No bot leads now: steps, deadlines and cards wait for one.
It has no card in Slack; `--channel C…` gives a start one.
pool: {CANARY}
old pool: {STABLE}
state: progressing at 10 %
weight: 10 % new, 90 % old
steps: [10] 50 100, approval for 50, 100
gateway: accepts this
ready: new 2 of 2, old 2 of 2, TIME
route: {stage.world.namespace}/llm-route
card: none, started in a terminal
rollout: {rollout.id}
started: TIME by {ME}: H100 "nodes" &amp; <@U1>
why: It waits at 10 % before 50 % (since TIME). Any full member can `advance` it now. \
It asks for approval of 50 % TIME.
"""
    )
    terminal.write_policy("")
    code, _ = terminal("rollback", "p99", "doubled")
    after = stage.load(rollout.id).rollout
    assert (code, stage.world.weights()) == (0, [(STABLE, 1)])
    assert (after.phase, after.by, after.why) == (Phase.ROLLED_BACK, f"unix:{ME}", "p99 doubled")


def test_only_whom_the_policy_knows_approves_and_counts_as_that_slack_user(stage: Stage, terminal: Terminal) -> None:
    rollout_id = stage.started(10, wishes=Wishes(approve_at=(25,))).rollout.id
    stage.step()
    assert terminal("approve") == (
        1,
        f"The policy does not say who Unix user `{ME}` is in Slack, so this user cannot `approve`. "
        f"Add `{ME}: U…` under `terminal.users` of the policy file, or do it in Slack.\n",
    )
    terminal.write_policy(f"terminal: {{users: {{{ME}: {ALICE}}}}}")
    said = "You started this rollout, so your approval does not count. `why` says whose does.\n"
    assert terminal("approve") == (1, said)
    terminal.write_policy(f"terminal: {{users: {{{ME}: {BOB}}}}}")
    assert terminal("approve")[0] == 0
    events = stage.store.events(rollout_id, 0)
    assert [(event.by, event.unix_user) for event in events if event.kind == "approved"] == [(BOB, ME)]
    line = f"{BOB} (in a terminal, as Unix user `{ME}`) approved 25 %."
    assert line in [plain(told, str) for told in what_happened.told(events, stage.load(rollout_id))]
    assert stage.world.weights() == [(STABLE, 75), (CANARY, 25)]


def test_status_and_history_are_told_in_json_and_in_lines(stage: Stage, terminal: Terminal) -> None:
    rollout = stage.started(10).rollout
    stage.say("pause", by=BOB, reason="p99 <doubled>\x1b[31m")
    code, output = terminal("history", CANARY)
    assert (code, re.sub(r"\d\d\d\d-\d\d-\d\d \d\d:\d\d:\d\d", "TIME", output)) == (
        0,
        f"TIME  {ALICE} started the rollout at 10 %, from `{STABLE}`.\n"
        f"TIME  {BOB} paused it at 10 %: “p99 <doubled>[31m”\n",
    )
    document = terminal.json("status")
    assert (document["command"], document["by"], document["outcome"]) == ("status", f"unix:{ME}", "done")
    entry = stage.load(rollout.id)
    paused = f"{entry.rollout.since:%Y-%m-%dT%H:%M:%SZ}"
    assert document["rollouts"] == [
        {
            "id": rollout.id,
            "pool": CANARY,
            "old_pool": STABLE,
            "namespace": stage.world.namespace,
            "route": "llm-route",
            "channel": "C0INFER001",
            "phase": "paused",
            "weight": {"wanted": 10, "on_route": 10},
            "written": True,
            "gateway": "accepted",
            "steps": [10, 25, 50, 100],
            "mirror": 0,
            "approvals": {"at": [], "needed": 1, "asked": None, "given": []},
            "gates": [],
            "ready": {
                "new": {"ready": 2, "of": 2},
                "old": {"ready": 2, "of": 2},
                "at": f"{entry.readiness.at:%Y-%m-%dT%H:%M:%SZ}" if entry.readiness else None,
            },
            "started": {"by": ALICE, "at": f"{rollout.started_at:%Y-%m-%dT%H:%M:%SZ}", "reason": ""},
            "decided": {"by": BOB, "at": paused},
            "waits": {
                "reason": f"It is paused at 10 % by {BOB}",
                "said": "p99 <doubled>\x1b[31m",
                "since": paused,
                "who": "Any full member can `resume`, `end` or `rollback` it.",
                "deadline": f"{entry.rollout.since + timedelta(hours=4):%Y-%m-%dT%H:%M:%SZ}",
                "then": "The next reminder comes",
            },
            "trouble": None,
        }
    ]


def test_people_are_called_as_the_policy_and_as_slack_calls_them(stage: Stage, terminal: Terminal) -> None:
    stage.started(10)
    stage.say("pause", by=BOB)
    SlackNames(stage.redis, prefix).remember(BOB, "Bob Example")
    terminal.write_policy(f"terminal: {{users: {{alice: {ALICE}}}}}")
    told = [line.split("  ", 1)[1] for line in terminal("history")[1].splitlines()]
    assert told == [f"alice started the rollout at 10 %, from `{STABLE}`.", "Bob Example paused it at 10 %."]
    assert timeless(str(terminal.json("why")["message"])) == (
        f"`{CANARY}`: It is paused at 10 % by Bob Example (since TIME). "
        "Any full member can `resume`, `end` or `rollback` it. The next reminder comes TIME."
    )


def test_without_redis_it_names_the_command_that_needs_none_and_that_one_works(
    stage: Stage, terminal: Terminal
) -> None:
    rollout_id = stage.started(10).rollout.id
    code, output = terminal("rollback", CANARY, "p99 doubled", REDIS_URL=NOWHERE)
    command = f"rollback --from-route llm-route --namespace {stage.world.namespace} {CANARY} 'p99 doubled'"
    assert (code, output) == (
        3,
        "Redis does not answer. I could not confirm anything. Roll back from the record on the route:\n"
        f"    rolloutbot {command}\n",
    )
    words = ("rollback", "--from-route", "llm-route", "--namespace", stage.world.namespace, "p99 doubled")
    code, output = terminal(*words, REDIS_URL="", ROLLOUTBOT_CONFIG="")
    assert (code, output.splitlines()[0]) == (
        0,
        f"`{CANARY}` is rolled back; that is on the route, and the gateway accepts it. "
        "The card and the history follow when a bot that has Redis sees the route.",
    )
    assert stage.world.weights() == [(STABLE, 1)]
    stage.audit.inspect()
    after = stage.load(rollout_id).rollout
    assert (after.phase, after.by, after.why) == (Phase.ROLLED_BACK, f"unix:{ME}", "p99 doubled")


def test_beside_the_data_of_another_install_a_roll_back_names_the_command_that_needs_none(
    stage: Stage, terminal: Terminal
) -> None:
    stage.started(10)
    Installs(stage.redis).join(InstallIdentity(named="prod"))
    command = f"rollback --from-route llm-route --namespace {stage.world.namespace} {CANARY} 'p99 doubled'"
    assert terminal("rollback", CANARY, "p99 doubled", ROLLOUTBOT_INSTALL="lab") == (
        3,
        "Redis holds no data of install `lab`, only of `prod`. Name the one you mean in `ROLLOUTBOT_INSTALL`, or as "
        "`install` in the policy file. I could not confirm anything. Roll back from the record on the route:\n"
        f"    rolloutbot {command}\n",
    )


def test_a_question_without_redis_names_the_whole_command_that_needs_none(terminal: Terminal) -> None:
    assert terminal("status", REDIS_URL=NOWHERE) == (
        3,
        "Redis does not answer. `rolloutbot rollback --from-route ROUTE` needs only the API server.\n",
    )


def test_a_missing_right_is_the_persons_own(stage: Stage, terminal: Terminal, api_server: ApiServer) -> None:
    stage.started(10)
    kubeconfig = str(api_server.kubeconfig("bob", stage.world.namespace))
    said = (
        f"The kubeconfig of `{ME}` may not `get` `httproutes` of gateway.networking.k8s.io in namespace "
        f"`{stage.world.namespace}`. Ask for that right (a Role like that of `manifests/kustomize/rights` has it), "
        "or do it in the bot's pod.\n"
    )
    assert terminal("rollback", "--from-route", "llm-route", KUBECONFIG=kubeconfig) == (1, said)
    assert terminal("advance", KUBECONFIG=kubeconfig) == (1, said)
    assert stage.world.weights() == [(STABLE, 90), (CANARY, 10)]


def a_desk_whose_requests_a_bot_takes_first(terminal: Terminal) -> Commands:
    settings = read_as(TerminalSettings, terminal.env)
    behind = shared_parts(settings, connect(terminal.env["REDIS_URL"]), SystemClock())
    memory = Meddler(behind.store)
    bot = behind.parts.engine

    def sweep() -> None:
        with suppress(UserError):
            bot.process(bot.waiting_requests(timedelta())[0])

    memory.after("receive", sweep)
    parts = put_together(behind.cluster, memory, behind.store, behind.clock, behind.policy)
    return Commands(replace(behind, parts=parts), BOB, "")


def test_what_a_running_bot_did_first_is_told(stage: Stage, terminal: Terminal) -> None:
    rollout_id = stage.started(10).rollout.id
    commands = a_desk_whose_requests_a_bot_takes_first(terminal)
    answer = commands.do(Command(verb="pause"), 0, lambda text: None)
    assert (answer.exit, stage.events(rollout_id)) == (Exit.DONE, ["started", "paused"])


def test_what_a_running_bot_refused_first_is_refused_in_its_words(stage: Stage, terminal: Terminal) -> None:
    stage.started(10)
    commands = a_desk_whose_requests_a_bot_takes_first(terminal)
    with pytest.raises(UserError, match=f"You can't resume now: `{CANARY}` is progressing at 10 %"):
        commands.do(Command(verb="resume"), 0, lambda text: None)


def test_somebody_who_could_approve_their_own_start_in_slack_is_refused(stage: Stage, terminal: Terminal) -> None:
    said = (
        f"The policy does not say who Unix user `{ME}` is in Slack, "
        "so this user could approve in Slack what is started here. "
        f"Add `{ME}: U…` under `terminal.users` of the policy file, or do it in Slack.\n"
    )
    assert terminal("start", CANARY, "10") == (1, said)
    assert terminal("start", CANARY, "10", "approve=none", ROLLOUTBOT_CONFIG="", KUBECONFIG=terminal.home)[0] == 0
    assert stage.world.weights() == [(STABLE, 90), (CANARY, 10)]


def test_where_a_bot_leads_the_terminal_leaves_the_gateway_to_it(stage: Stage, terminal: Terminal) -> None:
    stage.started(10)
    assert terminal.json("status")["message"] == "No bot leads now: steps, deadlines and cards wait for one."
    stage.redis.set(f"{PREFIX}lease", "a bot", ex=60)
    status, advanced = terminal.json("status"), terminal.json("advance", "--wait", "0")
    assert (status["led"], status["message"], advanced["outcome"]) == (True, "", "unconfirmed")
    assert advanced["message"] == (
        f"`{CANARY}` is progressing at 25 %; that is on the route, but the gateway has not said yet that it accepts it."
    )


def test_ctrl_c_ends_the_watching_and_nothing_else(stage: Stage, terminal: Terminal, robot: Robot) -> None:
    rollout_id = stage.started(10).rollout.id
    robot.answer = Answer(silent=True)
    command = [sys.executable, "-m", "bot", "advance"]
    # Tests that run in the background have Ctrl-C ignored, and so would what they start.
    hears = partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    env = {**os.environ, **terminal.env}
    shell = subprocess.Popen(command, env=env, stderr=subprocess.PIPE, text=True, preexec_fn=hears)
    wait_until("25 % on the route", lambda: stage.world.weights()[1] == (CANARY, 25))
    shell.send_signal(signal.SIGINT)
    _, said = shell.communicate(timeout=20)
    assert (shell.returncode, said) == (
        130,
        "Stopped watching. What was asked for may still happen: look with `status`.\n",
    )
    assert stage.load(rollout_id).rollout.weight == 25


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start"], "`start` needs a pool and a weight. Usage: `rolloutbot start POOL WEIGHT [from=POOL "),
        (["reject", "llama"], "`reject` needs a reason. Say why, as in `rolloutbot reject llama reason="),
        (["status"], "`REDIS_URL` is not set; set it like `redis://localhost:6379/0`"),
        (["history", "no_name"], "`no_name` is not "),
        (["rollback"], "`rolloutbot rollback --from-route ROUTE` needs only the API server."),
        (["promote", ""], "One of the words is empty. Was a variable meant that is not set"),
        (["promote", "--channel", "#llm"], "`REDIS_URL` is not set"),
    ],
)
def test_words_and_settings_that_make_no_sense_are_explained(words: list[str], said: str) -> None:
    empty = {"REDIS_URL": "", "KUBECONFIG": "", "ROLLOUTBOT_CONFIG": ""}
    result = CliRunner().invoke(app, words, env=empty)
    assert (result.exit_code, said in result.output) == (2, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["stauts"], "`stauts` is not a verb of `rolloutbot`. Did you mean `status`?"),
        (["undo", CANARY], "`undo` is not a verb of `rolloutbot`. Did you mean `rollback`?"),
        (["brrr", "--now"], "`brrr` is not a verb of `rolloutbot`. Say `rolloutbot help` for the list."),
    ],
)
def test_an_unknown_verb_gets_our_own_answer_and_json_on_request(words: list[str], said: str) -> None:
    result = CliRunner().invoke(app, words, env={})
    assert (result.exit_code, result.output) == (2, f"{said}\n")
    result = CliRunner().invoke(app, [*words, "--output", "json"], env={})
    document = json.loads(result.output)
    assert (result.exit_code, document["command"], document["outcome"], document["message"]) == (
        2,
        words[0],
        "usage",
        said,
    )


def test_help_lists_every_verb_without_redis_and_without_a_cluster() -> None:
    result = CliRunner().invoke(app, ["help"], env={})
    listed = [line.split()[1].strip("`") for line in result.output.splitlines() if line.startswith("`rolloutbot")]
    operations = [*(executor.name for executor in EXECUTORS), VOTE, CANCEL]
    assert (result.exit_code, listed) == (0, [*(verb.name for verb in verbs()), *operations])


SPELLED = [
    ["roll", "back", f"{CANARY.title()}:", "p99"],
    ["Roll-back", "p99", ""],
    ["rollback", "pool=", "--pool", "default/VLLM-llama3-8b-instruct-new", "p99"],
    ["rollback", CANARY, "--namespace", "models", "p99"],
]


@pytest.mark.parametrize("words", SPELLED, ids=" ".join)
def test_a_brake_works_however_it_is_spelled(stage: Stage, terminal: Terminal, words: list[str]) -> None:
    rollout_id = stage.started(10).rollout.id
    code, _ = terminal(*words)
    after = stage.load(rollout_id).rollout
    why = "namespace=models p99" if "--namespace" in words else "p99"
    assert (code, after.phase, after.why) == (0, Phase.ROLLED_BACK, why)


def test_a_reason_that_is_too_long_is_cut_and_that_is_said(stage: Stage, terminal: Terminal) -> None:
    rollout_id = stage.started(10).rollout.id
    assert "I left its last 5,001 characters out" in str(terminal.json("rollback", CANARY, "x" * 8000)["message"])
    assert stage.load(rollout_id).rollout.why == f"{'x' * 2999}…"
