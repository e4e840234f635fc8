"""A Slack on this machine (local-slack): its page, Web API, Socket Mode and signed HTTP delivery."""

import json
import platform
import shutil
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import urllib3
import websocket

from sandbox.errors import SandboxError
from sandbox.folders import NPM, cache
from sandbox.install import install_once, run_visibly, version_key
from sandbox.process import Server, free_ports
from sandbox.toolchain import npm
from sandbox.workplace import Workplace

Mode = Literal["socket", "http"]

PACKAGES = {("Linux", "x86_64"): "local-slack-linux-x64"}
PRELOADED = ("loopback.ts", "page.ts", "spread.ts")
IN_PAGE = ("dates.js", "charts.js", "manners.js")

TEAM = "T0SANDBOX1"
BOT = "U0ROLLOUT1"
PEOPLE = MappingProxyType(
    {"U0ALICE001": "Alice Adams", "U0BOB00001": "Bob Brown", "U0CAROL001": "Carol Clark", "U0DAVE0001": "Dave Davis"}
)
INFERENCE, GENERAL, ELSEWHERE = "C0INFER001", "C0GENER001", "C0ELSEW001"
BOT_TOKEN = "xoxb-sandbox"
APP_TOKEN = "xapp-1-sandbox"
SIGNING_SECRET = "sandbox-signing-secret"


@dataclass(frozen=True)
class Slack:
    """A running local-slack, with methods that act as people do."""

    url: str
    server: Server

    @property
    def api_url(self) -> str:
        """Return the base address of the Web API, as ``WebClient(base_url=...)`` wants it."""
        return f"{self.url}/api/"

    def command(
        self, text: str, *, user: str = "U0ALICE001", channel: str = INFERENCE, command: str = "/rollout"
    ) -> None:
        """Type a slash command; return when the bot has acknowledged it, or after 5 s."""
        self._post("command", {"channel": channel, "user": user, "command": command, "text": text})

    def press(
        self,
        message_ts: str,
        action_id: str,
        value: str,
        *,
        block_id: str,
        user: str = "U0ALICE001",
        channel: str = INFERENCE,
    ) -> None:
        """Press a button of a message."""
        action = {"type": "button", "action_id": action_id, "block_id": block_id, "value": value}
        self._post("interact", {"channel": channel, "messageTs": message_ts, "user": user, "action": action})

    def open_home(self, user: str = "U0ALICE001") -> None:
        """Open the bot's Home tab."""
        self._post("open-home", {"user": user})

    def dialogs(self) -> list[dict[str, Any]]:
        """Return the open dialogs, the newest last. They can only be read the way Slack's page reads them."""
        with closing(self._page()) as page:
            views: list[dict[str, Any]] = json.loads(page.recv())["state"]["modalStack"]
            return views

    def submit(self, values: Mapping[str, Any], *, user: str = "U0ALICE001") -> None:
        """Submit the newest dialog; ``values`` are as Slack sends them, by block and action."""
        with closing(self._page()) as page:
            page.send(json.dumps({"t": "view_submit", "user": user, "values": values}))
            page.recv()

    def messages(self, channel: str = INFERENCE) -> list[dict[str, Any]]:
        """Return all messages in a channel, oldest first, with thread replies and ephemeral messages."""
        messages: list[dict[str, Any]] = self._get(f"messages/{channel}")["messages"]
        return messages

    def calls(self) -> list[dict[str, Any]]:
        """Return the last 1000 exchanges between Slack and the bot."""
        log: list[dict[str, Any]] = self._get("log")["log"]
        return log

    def reset(self) -> None:
        """Forget all messages."""
        self._post("reset", {})

    def answers(self) -> bool:
        """Return whether the server is up."""
        try:
            self._get("state")
        except (urllib3.exceptions.HTTPError, SandboxError):
            return False
        return True

    def _page(self) -> websocket.WebSocket:
        return websocket.create_connection(f"{self.url.replace('http', 'ws', 1)}/ui", timeout=10)

    def _get(self, path: str) -> Any:
        return _answer(urllib3.request("GET", f"{self.url}/_control/{path}", timeout=10, retries=False))

    def _post(self, path: str, body: Mapping[str, Any]) -> Any:
        return _answer(urllib3.request("POST", f"{self.url}/_control/{path}", json=body, timeout=15, retries=False))


def _answer(response: urllib3.BaseHTTPResponse) -> Any:
    if response.status != 200:
        raise SandboxError(f"local-slack answered {response.status}: {response.data[:300].decode(errors='replace')}")
    return json.loads(response.data)


@contextmanager
def local_slack(place: Workplace, *, mode: Mode = "socket", request_url: str = "") -> Iterator[Slack]:
    """Run a Slack that delivers by Socket Mode, or to ``request_url`` with signed requests."""
    folder = place.folder / "slack"
    (folder / "files").mkdir(parents=True)
    (port,) = free_ports(1)
    for name in (*PRELOADED, *IN_PAGE):
        shutil.copyfile(NPM / name, folder / name)
    (folder / "config.json").write_text(json.dumps(workspace(mode, request_url), indent=2))
    preloads = " ".join(f"--preload ./{name}" for name in PRELOADED)
    server = Server("local-slack", [slack_binary(), *_flags(folder, port)], folder, {"BUN_OPTIONS": preloads})
    running = Slack(f"http://127.0.0.1:{port}", server)
    try:
        server.start()
        server.wait_ready(running.answers)
        yield running
    finally:
        server.kill()


def slack_binary() -> Path:
    """Return the program. The first call on a machine installs it."""
    machine = (platform.system(), platform.machine())
    if machine not in PACKAGES:
        raise SandboxError(
            f"local-slack is not published for {' '.join(machine)}; the sandbox's Slack needs Linux on x86_64."
        )
    folder = install_once(cache() / "slack" / version_key(NPM / "package-lock.json"), _install)
    return folder / "node_modules" / PACKAGES[machine] / "bin" / "local-slack"


def _install(folder: Path) -> None:
    for name in ("package.json", "package-lock.json"):
        shutil.copyfile(NPM / name, folder / name)
    tool = npm()
    options = ["--no-audit", "--no-fund", "--ignore-scripts"]
    command: list[str | Path] = [*tool.command, "ci", *options, "--prefix", folder]
    run_visibly("local-slack", "installing, once; seconds", command, cwd=folder, env=tool.env)


def _flags(folder: Path, port: int) -> list[str]:
    options = {"config": folder / "config.json", "files-dir": folder / "files", "port": port, "base-host": "127.0.0.1"}
    return [part for name, value in options.items() for part in (f"--{name}", str(value))]


def workspace(mode: Mode, request_url: str) -> dict[str, Any]:
    """Return the configuration: four people, and three channels, two of them with the bot."""
    everybody = [BOT, *PEOPLE]
    return {
        "workspace": {"name": "Sandbox", "domain": "sandbox", "teamId": TEAM},
        "app": {
            "appId": "A0ROLLOUT1",
            "botUserId": BOT,
            "botName": "rolloutbot",
            "botToken": BOT_TOKEN,
            "appToken": APP_TOKEN,
            "signingSecret": SIGNING_SECRET,
            "mode": "events" if mode == "http" else mode,
            **({"requestUrl": request_url} if mode == "http" else {}),
        },
        "users": [_person(user, name) for user, name in PEOPLE.items()],
        "channels": [
            {"id": INFERENCE, "name": "inference", "members": everybody},
            {"id": GENERAL, "name": "general", "members": everybody},
            {"id": ELSEWHERE, "name": "elsewhere", "members": list(PEOPLE)},
        ],
    }


def _person(user: str, name: str) -> dict[str, str]:
    short = name.split()[0].lower()
    return {"id": user, "name": short, "real_name": name, "email": f"{short}@example.com"}
