"""A shell for tests, and who types in it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer
from typer.testing import CliRunner

from bot.__main__ import app
from bot.terminal.answer import unix_user
from sandbox.apiserver import ApiServer

ME = unix_user()
NOWHERE = "redis://127.0.0.1:1/0"
"""Nobody listens on port 1."""


@dataclass
class Terminal:
    """A shell with the environment that docs/terminal.md asks for."""

    env: Mapping[str, str]
    policy: Path
    namespace: str
    api_server: ApiServer
    program: typer.Typer = app

    @property
    def home(self) -> str:
        """Return a kubeconfig that is at home in the test's namespace."""
        return str(self.api_server.kubeconfig(namespace=self.namespace))

    def write_policy(self, rest: str) -> None:
        self.policy.write_text(f"namespaces: [{self.namespace}]\n{rest}")

    def __call__(self, *words: str, **env: str) -> tuple[int, str]:
        result = CliRunner().invoke(self.program, words, env={**self.env, **env})
        return result.exit_code, result.output

    def json(self, *words: str) -> dict[str, object]:
        code, output = self(*words, "--output", "json")
        document: dict[str, object] = json.loads(output)
        assert document["exit"] == code
        return document

    def listed(self) -> list[dict[str, Any]]:
        """Return the rollouts that `status` tells of."""
        rollouts: list[dict[str, Any]] = json.loads(self("status", "--output", "json")[1])["rollouts"]
        return rollouts
