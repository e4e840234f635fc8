"""Settings from the environment. Every mistake is one sentence that names the variable, all at once."""

import re
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, NamedTuple, TypeVar
from urllib.parse import SplitResult, unquote, urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from bot.config.mistakes import ConfigError
from bot.config.policy import INSTALL, NO_INSTALL
from bot.config.policy_file import Gates, read_policy
from bot.config.redis_url import SENTINEL, password_of, read_sentinels, scheme_of

__all__ = [
    "Address",
    "ClusterSettings",
    "ConfigError",
    "Settings",
    "TerminalSettings",
    "check",
    "read_as",
    "read_policy",
    "read_settings",
]

SHORTEST_KEY = 32
SLACK = "https://slack.com/api/"
_REDIS = (
    "like `redis://localhost:6379/0`, `rediss://user:password@redis.example.com:6380/0`, `unix:///run/redis.sock` or "
    "`redis+sentinel://:password@sentinel-1:26379,sentinel-2:26379/primary/0`"
)
_MISSING = {
    "SLACK_BOT_TOKEN": "is not set; set it to the Bot User OAuth Token (`xoxb-…`) of your Slack app",
    "REDIS_URL": f"is not set; set it {_REDIS}",
}
_NO_MODE = (
    "Neither `SLACK_APP_TOKEN` nor `SLACK_SIGNING_SECRET` is set; set the first (`xapp-…`) for Socket Mode, "
    "or the second for HTTP."
)
_ONE_ADDRESS = "`ROLLOUTBOT_HTTP` and `ROLLOUTBOT_PROBES` are both `{}:{}`; give each a port of its own."


class Address(NamedTuple):
    """Where the bot listens."""

    host: str
    port: int


def _begins_with(prefix: str, rest: str) -> AfterValidator:
    def check_token(token: SecretStr) -> SecretStr:
        if not token.get_secret_value().startswith(prefix) or not token.get_secret_value().isascii():
            raise ValueError(f"does not begin with `{prefix}`; {rest}")
        return token

    return AfterValidator(check_token)


def _api_url(url: str) -> str:
    parts = _split(url)
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError(f"is not an address; leave it out for Slack's own (`{SLACK}`)")
    return url.rstrip("/") + "/"  # slack_sdk glues the method's name to it


def _redis_url(url: SecretStr) -> SecretStr:
    parts = _split(url.get_secret_value())
    remote = parts and parts.scheme in ("redis", "rediss") and parts.hostname
    local = parts and parts.scheme == "unix" and parts.path
    if not remote and not local and not _is_sentinels(url.get_secret_value()):
        raise ValueError(f"is not an address of Redis; set it {_REDIS}")
    return url


def _is_sentinels(url: str) -> bool:
    try:
        return scheme_of(url) in SENTINEL and bool(read_sentinels(url))
    except ValueError:
        return False


def _split(url: str) -> SplitResult | None:
    """Split an address; None if it is not one. The library's own message would quote the password."""
    try:
        parts = urlsplit(url)
        return parts if parts.port is None or parts.port > 0 else None
    except ValueError:
        return None


def _install(name: str) -> str:
    if not INSTALL.fullmatch(name):
        raise ValueError(f"is `{name}`, which {NO_INSTALL}")
    return name


def _kubeconfig(paths: str) -> str:
    if not any(Path(path).is_file() for path in paths.split(":")):
        raise ValueError(f"names no file (`{paths}`); set it to your kubeconfig, or leave it out in a pod")
    return paths


def _address(text: object) -> object:
    if not isinstance(text, str):
        return text
    host, colon, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not (port.isascii() and port.isdigit() and len(port) <= 5 and int(port) <= 65535):
        raise ValueError(f"is `{text}`, which is not HOST:PORT; write it like `127.0.0.1:3000` or `0.0.0.0:3000`")
    return Address(host, int(port))


def _keys(text: object) -> object:
    keys = re.split(r"[\s,]+", text.strip(" ,")) if isinstance(text, str) else text
    if isinstance(keys, list) and any(len(key) < SHORTEST_KEY for key in keys):
        raise ValueError(f"holds a key of fewer than {SHORTEST_KEY} characters; make one with `openssl rand -hex 32`")
    return keys


def _log(mode: object) -> object:
    if mode not in ("json", "text"):
        raise ValueError(f"is `{mode}`; set it to `json` or `text`")
    return mode


BotToken = Annotated[SecretStr, _begins_with("xoxb-", "copy the Bot User OAuth Token of your Slack app")]
AppToken = Annotated[
    SecretStr, _begins_with("xapp-", "make an App-Level Token with the scope `connections:write`, or leave it out")
]


class ClusterSettings(BaseSettings):
    """What a roll back from the route alone needs from the environment."""

    model_config = SettingsConfigDict(case_sensitive=True, frozen=True, extra="ignore", hide_input_in_errors=True)

    kubeconfig: Annotated[str, AfterValidator(_kubeconfig)] | None = Field(default=None, alias="KUBECONFIG")
    config: Path | None = Field(default=None, alias="ROLLOUTBOT_CONFIG")
    helm: str = Field(default="helm", min_length=1, alias="ROLLOUTBOT_HELM")
    note_keys: Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_keys)] = Field(
        default=(), alias="ROLLOUTBOT_NOTE_KEYS"
    )

    def keys(self) -> tuple[bytes, ...]:
        """Return the keys that verify notes; the first one signs."""
        return tuple(key.get_secret_value().encode() for key in self.note_keys)

    def secrets(self) -> tuple[str, ...]:
        """Return the secrets that must never be in a log."""
        return tuple(key.get_secret_value() for key in self.note_keys)


class TerminalSettings(ClusterSettings):
    """What a terminal needs; ``redis_url`` may hold a password and is as secret as the tokens."""

    redis_url: Annotated[SecretStr, AfterValidator(_redis_url)] = Field(alias="REDIS_URL")
    install: Annotated[str, AfterValidator(_install)] | None = Field(default=None, alias="ROLLOUTBOT_INSTALL")

    def secrets(self) -> tuple[str, ...]:
        """Return the secrets that must never be in a log."""
        password = password_of(self.redis_url.get_secret_value())
        values = (*super().secrets(), self.redis_url.get_secret_value(), password, unquote(password))
        return tuple(dict.fromkeys(value for value in values if value))


class Settings(TerminalSettings):
    """What the environment tells the bot."""

    slack_bot_token: BotToken = Field(alias="SLACK_BOT_TOKEN")
    slack_app_token: AppToken | None = Field(default=None, alias="SLACK_APP_TOKEN")
    slack_signing_secret: SecretStr | None = Field(default=None, alias="SLACK_SIGNING_SECRET")
    slack_api_url: Annotated[str, AfterValidator(_api_url)] = Field(default=SLACK, alias="SLACK_API_URL")
    http: Annotated[Address, NoDecode, BeforeValidator(_address)] = Field(
        default=Address("127.0.0.1", 3000), alias="ROLLOUTBOT_HTTP"
    )
    probes: Annotated[Address, NoDecode, BeforeValidator(_address)] = Field(
        default=Address("127.0.0.1", 3001), alias="ROLLOUTBOT_PROBES"
    )
    log: Annotated[Literal["json", "text"], BeforeValidator(_log)] = Field(default="text", alias="ROLLOUTBOT_LOG")

    @property
    def socket_mode(self) -> bool:
        """Say whether Slack is reached over a WebSocket instead of signed HTTP."""
        return self.slack_app_token is not None

    def secrets(self) -> tuple[str, ...]:
        """Return the secrets that must never be in a log."""
        given = (self.slack_bot_token, self.slack_app_token, self.slack_signing_secret)
        return (*(secret.get_secret_value() for secret in given if secret), *super().secrets())


AnySettings = TypeVar("AnySettings", bound=ClusterSettings)


def read_settings(env: Mapping[str, str]) -> Settings:
    """Read the bot's settings from an environment. Raises ConfigError with every mistake in it."""
    no_mode = (
        [] if any(env.get(name, "").strip() for name in ("SLACK_APP_TOKEN", "SLACK_SIGNING_SECRET")) else [_NO_MODE]
    )
    try:
        settings = read_as(Settings, env)
    except ConfigError as error:
        raise ConfigError([*error.mistakes, *no_mode]) from None
    if no_mode:
        raise ConfigError(no_mode)
    if not settings.socket_mode and settings.http == settings.probes and settings.http.port:
        raise ConfigError([_ONE_ADDRESS.format(*settings.http)])
    return settings


def read_as(kind: type[AnySettings], env: Mapping[str, str]) -> AnySettings:
    """Read settings of one kind from an environment. Raises ConfigError with every mistake in it."""
    filled = {name: value.strip() for name, value in env.items() if value.strip()}

    class Given(kind):  # type: ignore[misc, valid-type]
        @classmethod
        def settings_customise_sources(
            cls, settings_cls: type[BaseSettings], *_: PydanticBaseSettingsSource, **__: PydanticBaseSettingsSource
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            source = EnvSettingsSource(settings_cls, case_sensitive=True)
            source.env_vars = filled
            return (source,)

    try:
        return Given()
    except ValidationError as error:
        found = error.errors(include_url=False, include_input=False)
        raise ConfigError([_sentence(part) for part in found]) from None


def _sentence(error: Mapping[str, Any]) -> str:
    name = str(error["loc"][0])
    problem = str(error["ctx"]["error"]) if "error" in error.get("ctx", {}) else str(error["msg"])
    return f"`{name}` {_MISSING.get(name, problem) if error['type'] == 'missing' else problem}."


def policy_file(env: Mapping[str, str]) -> Path | None:
    """Return the policy file that an environment names."""
    name = env.get("ROLLOUTBOT_CONFIG", "").strip()
    return Path(name) if name else None


def check(env: Mapping[str, str] | None, path: Path | None, gates: Gates = MappingProxyType({})) -> list[str]:
    """Return every mistake in the environment and the policy file (None skips one), as sentences."""
    mistakes: list[str] = []
    if env is not None:
        try:
            read_settings(env)
        except ConfigError as error:
            mistakes += error.mistakes
    if path is not None:
        try:
            read_policy(path, default_namespace="default", gates=gates)
        except ConfigError as error:
            mistakes += error.mistakes
    return mistakes
