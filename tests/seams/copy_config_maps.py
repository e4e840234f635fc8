"""An executor in one file: copies a ConfigMap some times, slowly, on a real API server.

``python -m tests.seams.copy_config_maps`` is a bot that has it.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from kubernetes.client import ApiClient, CoreV1Api
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from bot.domain.commands.tokens import Word
from bot.domain.errors import ClusterError, UsageError
from bot.domain.operation import NewOperation, Operation
from bot.operations.executor import Asked, Begun, Done, Failed, Next, Step, Tools
from bot.operations.reading import read_keys, read_subject

LABEL = "rolloutbot/operation"


@dataclass(frozen=True)
class ConfigMaps:
    """The effects: each is one call, and one that is repeated finds what the first has made."""

    api: ApiClient
    namespace: str

    def read(self, name: str) -> dict[str, str] | None:
        """Return what is in one; None where there is none."""
        try:
            found: Any = self._core.read_namespaced_config_map(name, self.namespace)
        except (ApiException, HTTPError) as error:
            self._unless(404, error)
            return None
        return dict(found.data or {})

    def create(self, name: str, operation: str, data: dict[str, str]) -> None:
        """Make one that carries the operation's id; one that is there already counts."""
        body: Any = {"metadata": {"name": name, "labels": {LABEL: operation}}, "data": data}
        try:
            self._core.create_namespaced_config_map(self.namespace, body)
        except (ApiException, HTTPError) as error:
            self._unless(409, error)

    def of(self, operation: str) -> list[str]:
        """Return the names of those that carry an operation's id."""
        try:
            found: Any = self._core.list_namespaced_config_map(self.namespace, label_selector=f"{LABEL}={operation}")
        except (ApiException, HTTPError) as error:
            self._unless(0, error)
        return sorted(each.metadata.name for each in found.items)

    def delete(self, name: str) -> None:
        """Delete one; one that is gone already counts."""
        try:
            self._core.delete_namespaced_config_map(name, self.namespace)
        except (ApiException, HTTPError) as error:
            self._unless(404, error)

    @property
    def _core(self) -> CoreV1Api:
        return CoreV1Api(self.api)

    def _unless(self, status: int, error: Exception) -> None:
        """Let one answer pass, and name any other failure."""
        if getattr(error, "status", None) != status:
            raise ClusterError("The API server does not let me copy ConfigMaps now.") from error


@dataclass(frozen=True)
class CopyConfigMaps:
    """`copy NAME [count=3] [every=0]`: makes NAME-copy-1, -2, … and waits ``every`` seconds between them."""

    config_maps: ConfigMaps
    name: str = "copy"
    about: str = "copy a ConfigMap some times"
    usage: str = "SUBJECT [count=… every=… reason=…]"
    within: timedelta = timedelta(minutes=30)
    undo_within: timedelta = timedelta(minutes=1)
    defaults: dict[str, str] = field(default_factory=lambda: {"count": "3", "every": "0"})

    def read(self, words: Sequence[Word]) -> Asked:
        line = f"{self.name} {self.usage}"
        return Asked(subject=read_subject(words, line), parameters=read_keys(words, ("count", "every"), line))

    def begin(self, asked: NewOperation, tools: Tools) -> Begun:
        given = {**self.defaults, **asked.parameters}
        if wrong := [key for key, value in given.items() if not value.isdecimal()]:
            raise UsageError(f"`{wrong[0]}` is not a number.", hint="Write it like `count=3`.")
        state = {"next": 1, **{key: int(value) for key, value in given.items()}}
        return Begun(subject=asked.subject, state=state)

    def step(self, operation: Operation, tools: Tools) -> Step:
        number, count = operation.state["next"], operation.state["count"]
        data = self.config_maps.read(operation.subject)
        if data is None:
            return Failed(f"There is no ConfigMap `{operation.subject}`.")
        self.config_maps.create(f"{operation.subject}-copy-{number}", operation.id, data)
        if number == count:
            return Done(state=operation.state, said=f"All {count} copies are there.")
        state, wait = {**operation.state, "next": number + 1}, timedelta(seconds=operation.state["every"])
        return Next(state=state, said=f"Copy {number} of {count} is there.", wait=wait)

    def undo(self, operation: Operation, tools: Tools) -> Step:
        *names, last = operation.state.get("deleting") or [""]
        if last:
            self.config_maps.delete(last)
            return Next(state={**operation.state, "deleting": names}, said=f"{last} is deleted.")
        if left := self.config_maps.of(operation.id):
            return Next(state={**operation.state, "deleting": left})
        return Done(state=operation.state, said="No copy is left.")

    def left(self, operation: Operation) -> str:
        return f"Copies that are there stay: `kubectl delete configmap -l {LABEL}={operation.id}`."

    def sweep(self, tools: Tools) -> None:
        """Leave them: people may want them."""


def main() -> None:
    """Run the whole bot with one executor more than the product has."""
    from bot.config.settings import read_settings
    from bot.operations.registry import Registry
    from bot.service import bot, logs, shutdown
    from k8s.connection import connect

    settings = read_settings(os.environ)
    logs.configure(settings.log, settings.secrets())
    api = connect(settings.kubeconfig).api
    within = timedelta(seconds=int(os.environ["COPY_WITHIN"]))
    bot.run(settings, Registry((CopyConfigMaps(ConfigMaps(api, os.environ["COPY_NAMESPACE"]), within=within),)))
    shutdown.leave()


if __name__ == "__main__":
    main()
