"""Settings from the environment: what is read, and every sentence about what is wrong."""

from pathlib import Path

import pytest

from bot.config.policy import NO_INSTALL
from bot.config.settings import Address, ConfigError, check, read_settings

BOT, APP, SIGNING = "xoxb-1-bot", "xapp-1-app", "0123456789abcdef"
REDIS = "redis://localhost:6379/0"
SOCKET = {"SLACK_BOT_TOKEN": BOT, "SLACK_APP_TOKEN": APP, "REDIS_URL": REDIS}
HTTP = {"SLACK_BOT_TOKEN": BOT, "SLACK_SIGNING_SECRET": SIGNING, "REDIS_URL": REDIS}
LIKE = (
    "like `redis://localhost:6379/0`, `rediss://user:password@redis.example.com:6380/0`, `unix:///run/redis.sock` or "
    "`redis+sentinel://:password@sentinel-1:26379,sentinel-2:26379/primary/0`"
)
NO_MODE = (
    "Neither `SLACK_APP_TOKEN` nor `SLACK_SIGNING_SECRET` is set; set the first (`xapp-…`) for Socket Mode, "
    "or the second for HTTP."
)
NO_BOT = "`SLACK_BOT_TOKEN` is not set; set it to the Bot User OAuth Token (`xoxb-…`) of your Slack app."


def mistakes(env: dict[str, str]) -> list[str]:
    with pytest.raises(ConfigError) as refusal:
        read_settings(env)
    return list(refusal.value.mistakes)


def test_socket_mode_needs_three_variables() -> None:
    settings = read_settings(SOCKET)
    assert settings.socket_mode
    assert settings.slack_bot_token.get_secret_value() == BOT
    assert settings.redis_url.get_secret_value() == REDIS
    assert (settings.slack_signing_secret, settings.kubeconfig, settings.config) == (None, None, None)
    assert (settings.slack_api_url, settings.http, settings.log) == (
        "https://slack.com/api/",
        Address("127.0.0.1", 3000),
        "text",
    )


def test_http_mode_needs_the_signing_secret_instead() -> None:
    settings = read_settings(HTTP)
    assert not settings.socket_mode
    assert settings.slack_signing_secret is not None


def test_everything_that_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "kubeconfig").touch()
    env = {
        **SOCKET,
        "SLACK_API_URL": "http://127.0.0.1:9999/api",
        "KUBECONFIG": f"{tmp_path}/none:{tmp_path}/kubeconfig",
        "ROLLOUTBOT_CONFIG": "policy.yaml",
        "ROLLOUTBOT_HTTP": "[::]:0",
        "ROLLOUTBOT_LOG": "json",
        "ROLLOUTBOT_INSTALL": "prod-eu",
    }
    settings = read_settings(env)
    assert settings.slack_api_url == "http://127.0.0.1:9999/api/"
    assert settings.kubeconfig == env["KUBECONFIG"]
    assert settings.config == Path("policy.yaml")
    assert (settings.http, settings.log, settings.install) == (Address("::", 0), "json", "prod-eu")


def test_an_empty_variable_is_one_that_is_not_set_and_spaces_are_no_part_of_a_value() -> None:
    settings = read_settings({**SOCKET, "SLACK_BOT_TOKEN": f" {BOT}\n", "ROLLOUTBOT_LOG": "", "KUBECONFIG": " "})
    assert settings.slack_bot_token.get_secret_value() == BOT
    assert (settings.log, settings.kubeconfig) == ("text", None)


def test_only_the_given_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROLLOUTBOT_LOG", "json")
    monkeypatch.setenv("SLACK_APP_TOKEN", APP)
    assert read_settings(HTTP).log == "text"
    assert read_settings(HTTP).slack_app_token is None


@pytest.mark.parametrize(
    "url",
    [
        "rediss://u:p@r.example.com:6380/1",
        "unix:///run/redis.sock?db=1",
        "redis://[::1]",
        "redis+sentinel://:p@s1:26379,s2:26379/primary/0",
        "rediss+sentinel://s1/primary",
    ],
)
def test_addresses_of_redis(url: str) -> None:
    assert read_settings({**SOCKET, "REDIS_URL": url}).redis_url.get_secret_value() == url


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        (
            "SLACK_BOT_TOKEN",
            "xoxp-1",
            "`SLACK_BOT_TOKEN` does not begin with `xoxb-`; copy the Bot User OAuth Token of your Slack app.",
        ),
        (
            "SLACK_APP_TOKEN",
            "xoxb-1",
            "`SLACK_APP_TOKEN` does not begin with `xapp-`; "
            "make an App-Level Token with the scope `connections:write`, or leave it out.",
        ),
        (
            "SLACK_API_URL",
            "slack.com",
            "`SLACK_API_URL` is not an address; leave it out for Slack's own (`https://slack.com/api/`).",
        ),
        ("ROLLOUTBOT_INSTALL", "Prod EU", f"`ROLLOUTBOT_INSTALL` is `Prod EU`, which {NO_INSTALL}."),
        ("REDIS_URL", "", f"`REDIS_URL` is not set; set it {LIKE}."),
        ("REDIS_URL", "localhost:6379", f"`REDIS_URL` is not an address of Redis; set it {LIKE}."),
        ("REDIS_URL", "redis://", f"`REDIS_URL` is not an address of Redis; set it {LIKE}."),
        ("REDIS_URL", "redis://h:port/0", f"`REDIS_URL` is not an address of Redis; set it {LIKE}."),
        ("REDIS_URL", "redis://u:hunter2@\u2100/0", f"`REDIS_URL` is not an address of Redis; set it {LIKE}."),
        ("REDIS_URL", "redis+sentinel://s1:26379", f"`REDIS_URL` is not an address of Redis; set it {LIKE}."),
        ("REDIS_URL", "redis+sentinel://s1,/primary", f"`REDIS_URL` is not an address of Redis; set it {LIKE}."),
        ("REDIS_URL", "sentinel://s1/primary", f"`REDIS_URL` is not an address of Redis; set it {LIKE}."),
        ("REDIS_URL", "redis+sentinel://u:hunter2@\u2100/p", f"`REDIS_URL` is not an address of Redis; set it {LIKE}."),
        ("REDIS_URL", "unix://", f"`REDIS_URL` is not an address of Redis; set it {LIKE}."),
        (
            "KUBECONFIG",
            "/no/such/file",
            "`KUBECONFIG` names no file (`/no/such/file`); set it to your kubeconfig, or leave it out in a pod.",
        ),
        (
            "ROLLOUTBOT_HTTP",
            "3000",
            "`ROLLOUTBOT_HTTP` is `3000`, which is not HOST:PORT; write it like `127.0.0.1:3000` or `0.0.0.0:3000`.",
        ),
        (
            "ROLLOUTBOT_HTTP",
            "::1:99999",
            "`ROLLOUTBOT_HTTP` is `::1:99999`, which is not HOST:PORT; "
            "write it like `127.0.0.1:3000` or `0.0.0.0:3000`.",
        ),
        ("ROLLOUTBOT_LOG", "xml", "`ROLLOUTBOT_LOG` is `xml`; set it to `json` or `text`."),
    ],
)
def test_a_mistake_is_one_sentence_that_names_the_variable(name: str, value: str, sentence: str) -> None:
    assert mistakes({**SOCKET, name: value}) == [sentence]


def test_all_mistakes_at_once() -> None:
    assert mistakes({"ROLLOUTBOT_LOG": "xml"}) == [
        f"`REDIS_URL` is not set; set it {LIKE}.",
        NO_BOT,
        "`ROLLOUTBOT_LOG` is `xml`; set it to `json` or `text`.",
        NO_MODE,
    ]


def test_no_secret_is_shown_by_a_mistake_or_by_the_settings() -> None:
    secret = "hunter2hunter2"
    wrong = dict.fromkeys(("SLACK_BOT_TOKEN", "SLACK_APP_TOKEN", "REDIS_URL", "SLACK_SIGNING_SECRET"), secret)
    assert secret not in "".join(mistakes(wrong))
    settings = read_settings({**SOCKET, "SLACK_SIGNING_SECRET": secret, "REDIS_URL": f"redis://:{secret}@localhost"})
    assert secret not in f"{settings!r} {settings}"


@pytest.mark.parametrize("url", ["redis://u:p%40ss@localhost", "redis+sentinel://u:p%40ss@s1:26379,s2:26379/primary"])
def test_the_settings_know_what_must_not_be_logged(url: str) -> None:
    env = {**SOCKET, "SLACK_SIGNING_SECRET": SIGNING, "REDIS_URL": url}
    assert read_settings(env).secrets() == (BOT, APP, SIGNING, url, "p%40ss", "p@ss")


def test_check_names_the_mistakes_of_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("policy.yaml").write_text("plan: {evry: 1m}")
    line = "policy.yaml:1: plan: `evry` is not a key; did you mean `every`?"
    without = {name: value for name, value in SOCKET.items() if name != "SLACK_BOT_TOKEN"}
    assert check(SOCKET, None) == []
    assert check(without, Path("policy.yaml")) == [NO_BOT, line]
    assert check(None, Path("policy.yaml")) == [line]


def test_keys_for_notes_are_words_in_order() -> None:
    new, old = "n" * 32, "o" * 40
    for text in (f"{new} {old}", f"{new},{old}", f" {new},\n{old} "):
        settings = read_settings({**SOCKET, "ROLLOUTBOT_NOTE_KEYS": text})
        assert settings.keys() == (new.encode(), old.encode())
        assert {new, old} <= set(settings.secrets())
        assert new not in repr(settings)


def test_a_key_for_notes_that_could_be_guessed_is_a_mistake_that_does_not_show_it() -> None:
    assert mistakes({**SOCKET, "ROLLOUTBOT_NOTE_KEYS": f"{'n' * 32} guessed"}) == [
        "`ROLLOUTBOT_NOTE_KEYS` holds a key of fewer than 32 characters; make one with `openssl rand -hex 32`."
    ]
