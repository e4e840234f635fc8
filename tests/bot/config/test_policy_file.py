"""The policy file: what it may say, and every sentence about what it may not."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field

from bot.config.mistakes import ConfigError
from bot.config.policy import DEFAULT_PLAN, NO_INSTALL, Policy
from bot.config.policy_file import read_policy
from bot.config.policy_values import Duration, Section, text, whole_number
from bot.config.yaml_lines import Scalar
from bot.domain.access import Access
from bot.domain.evidence import EvidenceRules, Idle
from bot.domain.telling import Audience, Tell

EXAMPLE = Path(__file__).parents[3] / "docs" / "policy.example.yaml"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def read(text: str) -> Policy:
    Path("policy.yaml").write_text(text, encoding="utf-8")
    return read_policy(Path("policy.yaml"), default_namespace="models")


def mistakes(text: str) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        read(text)
    return list(refusal.value.mistakes)


DEFAULT = Policy(namespaces=("models",), from_file=True)


@pytest.mark.parametrize("text", ["", "# nothing\n", "{}", "plan:\naccess:\n", "---\n...\n"])
def test_an_empty_file_is_the_defaults(text: str) -> None:
    assert read(text) == DEFAULT


def test_the_example_is_the_defaults() -> None:
    assert read_policy(EXAMPLE, default_namespace="other") == replace(DEFAULT, namespaces=("other",))


def test_everything_that_can_be_said() -> None:
    policy = read("""
namespaces: [models, models-eu]
plan: {steps: [5, 50], every: 90s, bake: 1d}
approvals: {at: [], needed: 2, requester_may_approve: true}
access: {start: [U0001], run: [U0002], approve: [U0003, W0004], rollback: []}
tell:
  {approvals: channel, stops: thread, trouble: mention, brakes: mention, reminders: thread, done: thread,
  steps: channel}
command: /llm
install: prod-eu
terminal: {users: {alice: U0001, Bob.B@corp: W0004}}
""")
    assert policy == Policy(
        namespaces=("models", "models-eu"),
        plan=replace(
            DEFAULT_PLAN,
            steps=(5, 50, 100),
            interval=timedelta(seconds=90),
            bake=timedelta(days=1),
            approve_at=(),
            approvals=2,
            requester_may_approve=True,
        ),
        access=Access(start=frozenset({"U0001"}), run=frozenset({"U0002"}), approve=frozenset({"U0003", "W0004"})),
        tell=Tell(
            approvals=Audience.CHANNEL,
            stops=Audience.THREAD,
            trouble=Audience.MENTION,
            brakes=Audience.MENTION,
            reminders=Audience.THREAD,
            done=Audience.THREAD,
            steps=Audience.CHANNEL,
        ),
        command="/llm",
        install="prod-eu",
        unix_users={"alice": "U0001", "Bob.B@corp": "W0004"},
        from_file=True,
    )


TOP = (
    "`namespaces`, `plan`, `approvals`, `access`, `tell`, `try`, `compare`, `warm_up`, `deploy`, `clean`, `evidence`, "
    "`command`, `install`, `terminal`"
)
USER = "is not the id of a Slack user; copy it from the person's profile (Copy member ID), it looks like `U012AB3CD`."
DURATION = "is not a duration from 1s to 30d; write it like `90s`, `10m`, `2h` or `1d`."
COMMAND = "is not a slash command; write it like `/rollout`, in lower case, at most 32 characters."


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("namespace: [a]", "1: `namespace` is not a key; did you mean `namespaces`?"),
        (
            "tell: {stops: everybody}",
            "1: tell.stops: `everybody` is not `thread` or `channel` or `mention`.",
        ),
        ("tell: {stops: [channel]}", "1: tell.stops: a list is not `thread` or `channel` or `mention`."),
        (
            "tell: loud",
            "1: tell: must be a mapping with `approvals`, `stops`, `trouble`, `brakes`, `reminders`, `done`, `steps`, "
            "not `loud`.",
        ),
        ("tell: {stop: thread}", "1: tell: `stop` is not a key; did you mean `stops`?"),
        ("colour: red", f"1: `colour` is not a key; the keys here are {TOP}."),
        ("? [a]\n: b", f"1: `[a]` is not a key; the keys here are {TOP}."),
        ("- a", f"1: must be a mapping with {TOP}, not a list."),
        ("namespaces: default", "1: namespaces: must be a list like `[default]`, not `default`."),
        ("namespaces: []", "1: namespaces: is empty; name at least one, or leave the key out."),
        ("namespaces: [A]", "1: namespaces: `A` is not a namespace's name; see `kubectl get namespaces`."),
        ("namespaces: [a, a]", "1: namespaces: `a` is there twice; leave one of them out."),
        ("namespaces:\n- a\n- [b]", "3: namespaces: a list is not a namespace's name; see `kubectl get namespaces`."),
        ("namespaces:\n- a\n-", "3: namespaces: nothing is not a namespace's name; see `kubectl get namespaces`."),
        ("plan: fast", "1: plan: must be a mapping with `steps`, `every`, `bake`, not `fast`."),
        ("plan:\n  step: [1]", "2: plan: `step` is not a key; did you mean `steps`?"),
        ("plan:\n  every: 1m\n  every: 2m", "3: plan.every: is there twice; leave one of them out."),
        ("plan:\n\n  steps: [10, 50, 25]", "3: plan.steps: must rise, but 25 follows 50."),
        ("plan: {steps: []}", "1: plan.steps: is empty; name at least one, or leave the key out."),
        ("plan: {steps: 10}", "1: plan.steps: must be a list like `[10, 25, 50, 100]`, not `10`."),
        ("plan:\n  steps:\n  - 10\n  - 101", "4: plan.steps: `101` is not a whole number from 1 to 100."),
        ("plan: {steps: ['10']}", "1: plan.steps: `10` is not a whole number from 1 to 100."),
        ("plan: {steps: [010]}", "1: plan.steps: `010` is not a whole number from 1 to 100."),
        ("plan: {steps: [1.5]}", "1: plan.steps: `1.5` is not a whole number from 1 to 100."),
        ("plan: {every: 10}", f"1: plan.every: `10` {DURATION}"),
        ("plan: {every: 31d}", f"1: plan.every: `31d` {DURATION}"),
        ("plan: {bake: [1h]}", f"1: plan.bake: a list {DURATION}"),
        ("plan: {bake: }", f"1: plan.bake: nothing {DURATION}"),
        ("approvals: {at: 50}", "1: approvals.at: must be a list like `[50, 100]`, not `50`."),
        ("approvals: {needed: 0}", "1: approvals.needed: `0` is not a whole number from 1 to 20."),
        ("approvals: {needed: [1]}", "1: approvals.needed: a list is not a whole number from 1 to 20."),
        (
            "approvals:\n  needed: 3\naccess:\n  approve: [U0001, U0002]",
            "2: approvals.needed: asks for 3 approvals, but access.approve names only 2 users.",
        ),
        (
            "approvals: {requester_may_approve: yes}",
            "1: approvals.requester_may_approve: `yes` is neither `true` nor `false`.",
        ),
        ("access: {start: ['@alice']}", f"1: access.start: `@alice` {USER}"),
        ("access: {approve: [S0123456]}", f"1: access.approve: `S0123456` {USER}"),
        ("access: {run: U012AB3CD}", "1: access.run: must be a list like `[U012AB3CD]`, not `U012AB3CD`."),
        ("access: {roleback: []}", "1: access: `roleback` is not a key; did you mean `rollback`?"),
        ("terminal: {user: {}}", "1: terminal: `user` is not a key; did you mean `users`?"),
        ("terminal:\n  users: [a]", "2: terminal.users: must be a mapping like `{alice: U012AB3CD}`, not a list."),
        (
            "terminal:\n  users:\n    a: U0001\n    a: U0002",
            "4: terminal.users.a: is there twice; leave one of them out.",
        ),
        ("terminal: {users: {a b: U0001}}", "1: terminal.users: `a b` is not the name of a Unix user; see `id -un`."),
        ("terminal: {users: {[a]: U0001}}", "1: terminal.users: `[a]` is not the name of a Unix user; see `id -un`."),
        ("terminal:\n  users:\n    alice: bob", f"3: terminal.users.alice: `bob` {USER}"),
        ("command: rollout", f"1: command: `rollout` {COMMAND}"),
        ("install: Prod", f"1: install: `Prod` {NO_INSTALL}."),
        ("command: ''", f"1: command: an empty text {COMMAND}"),
        ("plan: [", "1: is not YAML: expected the node content, but found '<stream end>'."),
        ("a: b: c", "1: is not YAML: mapping values are not allowed here."),
        ("a: 1\n---\nb: 1", "2: is not YAML: but found another document."),
    ],
)
def test_a_mistake_is_one_line_with_its_place(text: str, mistake: str) -> None:
    assert mistakes(text) == [f"policy.yaml:{mistake}"]


def test_all_mistakes_at_once_in_the_order_of_the_file() -> None:
    text = "command: x\nplan:\n  every: soon\n  stepz: []\naccess:\n  start: [bob]\n"
    assert mistakes(text) == [
        f"policy.yaml:1: command: `x` {COMMAND}",
        f"policy.yaml:3: plan.every: `soon` {DURATION}",
        "policy.yaml:4: plan: `stepz` is not a key; did you mean `steps`?",
        f"policy.yaml:6: access.start: `bob` {USER}",
    ]


class ErrorRate(Section):
    """What a gate of a later issue may want to be told."""

    most: Annotated[int, whole_number(50)] = 5
    window: Duration = Field(timedelta(minutes=5), alias="over")


class Query(Section):
    """A gate that cannot do without a key."""

    query: Annotated[str, text(".+", "is no query")]


GATES: dict[str, type[Section]] = {"error-rate": ErrorRate, "query": Query}


def test_a_gate_brings_its_own_keys() -> None:
    Path("policy.yaml").write_text("gates: {error-rate: {over: 1m}}\n", encoding="utf-8")
    policy = read_policy(Path("policy.yaml"), default_namespace="models", gates=GATES)
    assert policy == replace(DEFAULT, gates={"error-rate": ErrorRate.model_validate({"over": Scalar("1m", "str")})})


@pytest.mark.parametrize(
    ("text", "mistake"),
    [
        ("gates: {error-rates: {}}", "1: gates: `error-rates` is not a key; did you mean `error-rate`?"),
        ("gates:\n  error-rate: [5]", "2: gates.error-rate: must be a mapping with `most`, `over`, not a list."),
        ("gates:\n  error-rate:\n    mist: 5", "3: gates.error-rate: `mist` is not a key; did you mean `most`?"),
        ("gates: {error-rate: {most: 0}}", "1: gates.error-rate.most: `0` is not a whole number from 1 to 50."),
        ("gates:\n  query: {}", "2: gates.query: `query` is missing; add it."),
        ("gates: {error-rate: {over: 5}}", f"1: gates.error-rate.over: `5` {DURATION}"),
    ],
)
def test_a_mistake_in_what_a_gate_is_told_is_explained_like_any_other(text: str, mistake: str) -> None:
    Path("policy.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError) as refusal:
        read_policy(Path("policy.yaml"), default_namespace="models", gates=GATES)
    assert refusal.value.mistakes == (f"policy.yaml:{mistake}",)


def test_without_gates_there_is_no_such_section() -> None:
    assert mistakes("gates: {}") == [f"policy.yaml:1: `gates` is not a key; the keys here are {TOP}."]


def test_a_file_that_is_not_there() -> None:
    with pytest.raises(ConfigError) as refusal:
        read_policy(Path("none.yaml"), default_namespace="default")
    assert refusal.value.mistakes == (
        "none.yaml: cannot be read (No such file or directory); name a file that can be read.",
    )


def test_a_file_in_another_encoding() -> None:
    Path("policy.yaml").write_bytes("# é\n".encode("latin-1"))
    with pytest.raises(ConfigError) as refusal:
        read_policy(Path("policy.yaml"), default_namespace="default")
    assert refusal.value.mistakes == ("policy.yaml: is not written in UTF-8; save it as UTF-8.",)


def test_a_file_with_a_forbidden_character() -> None:
    assert mistakes("a: \x07") == [
        "policy.yaml: is not YAML; it holds a character or a depth that YAML does not allow."
    ]


LEAVES = st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8), st.just([10, 5]), st.just({"a": [1]}))
KEYS = st.sampled_from(
    ["namespaces", "plan", "approvals", "access", "command", "steps", "every", "at", "needed", "run"]
)


@given(st.dictionaries(KEYS, st.one_of(LEAVES, st.dictionaries(KEYS, LEAVES), st.lists(LEAVES))))
def test_any_file_is_read_or_refused_with_lines(document: dict[str, object]) -> None:
    Path("policy.yaml").write_text(yaml.safe_dump(document, allow_unicode=True), encoding="utf-8")
    try:
        read_policy(Path("policy.yaml"), default_namespace="default")
    except ConfigError as refusal:
        assert all(mistake.startswith("policy.yaml:") for mistake in refusal.mistakes)  # noqa: PT017


def test_evidence_is_read() -> None:
    Path("policy.yaml").write_text(
        'evidence: {prometheus: "https://prom.example.com/api", tenant: a-b, labels: {cluster: eu-1}, idle: pass}\n'
    )
    policy = read_policy(Path("policy.yaml"), default_namespace="default")
    assert policy.evidence == EvidenceRules(
        prometheus="https://prom.example.com/api", tenant="a-b", labels={"cluster": "eu-1"}, idle=Idle.PASS
    )


@pytest.mark.parametrize("url", ["prometheus:9090", "http://user:pass@prometheus", "file:///etc/passwd"])
def test_what_is_no_address_of_a_prometheus_is_refused(url: str) -> None:
    assert mistakes(f'evidence: {{prometheus: "{url}"}}') == [
        f"policy.yaml:1: evidence.prometheus: `{url}` is not where a Prometheus is; "
        "write it like `http://prometheus.monitoring:9090`."
    ]
