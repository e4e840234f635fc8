from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from bot.__main__ import app
from sandbox.fake_prometheus import Mood, fake_prometheus

GOOD = {
    "SLACK_BOT_TOKEN": "xoxb-1",
    "SLACK_APP_TOKEN": "xapp-1",
    "REDIS_URL": "redis://127.0.0.1:6379/0",
}


UNSIGNED = "Notes on routes are not signed: set `ROLLOUTBOT_NOTE_KEYS`, or whoever may edit a route can forge them."


@pytest.fixture
def runner(monkeypatch: pytest.MonkeyPatch) -> CliRunner:
    for name in (
        "SLACK_BOT_TOKEN",
        "SLACK_APP_TOKEN",
        "SLACK_SIGNING_SECRET",
        "REDIS_URL",
        "KUBECONFIG",
        "ROLLOUTBOT_CONFIG",
        "ROLLOUTBOT_NOTE_KEYS",
    ):
        monkeypatch.delenv(name, raising=False)
    return CliRunner()


@pytest.mark.parametrize(
    ("words", "named", "said"),
    [
        (["policy.yaml"], "", f"The environment is good. The policy file `policy.yaml` is good.\n{UNSIGNED}"),
        ([], "policy.yaml", f"The environment is good. The policy file `policy.yaml` is good.\n{UNSIGNED}"),
        ([], "", f"The environment is good. No policy file is set: the defaults apply.\n{UNSIGNED}"),
        (["--policy-only"], "policy.yaml", "The policy file `policy.yaml` is good."),
        (["--policy-only"], "", "No policy file is set: the defaults apply."),
    ],
)
def test_what_was_checked_is_called_good(
    runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], named: str, said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text("namespaces: [models]\n")
    result = runner.invoke(app, ["check-config", *words], env={**GOOD, "ROLLOUTBOT_CONFIG": named})
    assert (result.exit_code, result.output) == (0, f"{said}\n")


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("k" * 32, "Notes on routes are signed, and 1 key verifies them."),
        (f" {'n' * 32} {'o' * 32} ", "Notes on routes are signed, and 2 keys verify them."),
    ],
)
def test_it_says_how_many_keys_verify_notes(runner: CliRunner, keys: str, said: str) -> None:
    result = runner.invoke(app, ["check-config"], env={**GOOD, "ROLLOUTBOT_NOTE_KEYS": keys})
    assert (result.exit_code, result.output.splitlines()[-1]) == (0, said)


def test_the_policy_alone_is_checked_without_the_environment_and_found_there(runner: CliRunner, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("plan: 10\n")
    result = runner.invoke(app, ["check-config", "--policy-only"], env={"ROLLOUTBOT_CONFIG": str(policy)})
    assert (result.exit_code, len(result.output.splitlines()), "policy.yaml:1: plan" in result.output) == (2, 1, True)


@pytest.mark.parametrize(
    ("evidence", "said"),
    [
        ("{}", "The policy names no Prometheus (`evidence.prometheus`)."),
        ('{prometheus: "http://127.0.0.1:1"}', "Prometheus cannot be reached at `evidence.prometheus`."),
    ],
)
def test_a_prometheus_that_does_not_answer_is_told(runner: CliRunner, tmp_path: Path, evidence: str, said: str) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(f"evidence: {evidence}\n")
    result = runner.invoke(app, ["check-config", str(policy), "--policy-only", "--prometheus"])
    assert (result.exit_code, result.output.splitlines()[-1]) == (3, said)


def test_prometheus_is_asked_about_the_namespace_of_the_kubeconfig_if_the_policy_names_none(
    runner: CliRunner, tmp_path: Path
) -> None:
    kubeconfig, policy = tmp_path / "kubeconfig", tmp_path / "policy.yaml"
    cluster = {"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u", "namespace": "models"}}
    whole = {"clusters": [cluster], "contexts": [context], "users": [{"name": "u", "user": {}}], "current-context": "c"}
    kubeconfig.write_text(yaml.safe_dump({"apiVersion": "v1", "kind": "Config", **whole}))
    with fake_prometheus() as fake:
        fake.mood = Mood.EMPTY
        policy.write_text(f"evidence: {{prometheus: {fake.url!r}}}\n")
        words = ["check-config", str(policy), "--policy-only", "--prometheus"]
        result = runner.invoke(app, words, env={"KUBECONFIG": str(kubeconfig)})
    said = "Prometheus has no numbers of model servers in `models`. docs/gates.md says what it has to scrape."
    assert (result.exit_code, result.output.splitlines()[-1]) == (3, said)


def test_every_mistake_is_explained_at_once_with_its_line(runner: CliRunner, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("plan:\n  steps: [25, 10]\n  evry: 10m\n")
    result = runner.invoke(app, ["check-config", str(policy)], env={**GOOD, "REDIS_URL": "localhost"})
    assert result.exit_code == 2
    assert "`REDIS_URL`" in result.output
    assert "policy.yaml:2: plan.steps" in result.output
    assert "policy.yaml:3: plan: `evry` is not a key; did you mean `every`?" in result.output


def test_a_token_in_the_wrong_place_is_named_and_not_told(runner: CliRunner, tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text("plan:\n  xoxb-1-planted: 10m\n")
    wrong = {"ROLLOUTBOT_LOG": "xapp-1-planted", "ROLLOUTBOT_HTTP": "redis://:planted@redis:none"}
    result = runner.invoke(app, ["check-config", str(policy)], env={**GOOD, **wrong})
    assert [name in result.output for name in ("ROLLOUTBOT_LOG", "ROLLOUTBOT_HTTP", "policy.yaml:2")] == [True] * 3
    assert "planted" not in result.output


def test_run_explains_what_is_missing_and_does_not_start(runner: CliRunner) -> None:
    result = runner.invoke(app, ["run"], env={})
    assert result.exit_code == 2
    assert "`SLACK_BOT_TOKEN` is not set" in result.output
    assert "`REDIS_URL` is not set" in result.output
