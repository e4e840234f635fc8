"""The program `helm`, for what only Helm should do: it changes releases. What it knows of them we read ourselves."""

import json
import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from bot.domain.errors import ClusterError, RouteError
from bot.domain.masking import masked

SECONDS: Final = 25.0
"""How long one command may take. What it began, it may still finish: whoever calls looks again."""

_NOT_ITS_OWN: Final = ("HELM_", "KUBECONFIG", "SLACK_", "REDIS_", "ROLLOUTBOT_")
"""Variables that it does not get: they would point it elsewhere, or are secrets of the bot's."""

LONGEST: Final = 600
"""How many characters of Helm's own words people get."""


@dataclass(frozen=True, slots=True)
class Helm:
    """Runs as the user of ``kubeconfig``, else as the pod that we run in."""

    program: str = "helm"
    kubeconfig: str | None = None

    def run(self, *arguments: str, values: Mapping[str, Any] | None = None) -> str:
        """Run a command and return what it prints; ``values`` are those of `--values -`.

        Raises RouteError with Helm's own words; ClusterError: it did not end.
        """
        with tempfile.TemporaryDirectory(prefix="helm-") as folder:
            try:
                answer = subprocess.run(
                    [self.program, *arguments],
                    env=self._environment(folder),
                    input=json.dumps(values or {}),
                    capture_output=True,
                    text=True,
                    errors="replace",
                    check=False,
                    timeout=SECONDS,
                )
            except subprocess.TimeoutExpired:
                raise ClusterError(f"`helm {arguments[0]}` did not end within {SECONDS:.0f} s.") from None
            except OSError as error:
                raise RouteError(
                    f"I cannot run `{self.program}`: {error.strerror or error}.",
                    hint="Install Helm beside the bot, or say where it is in `ROLLOUTBOT_HELM`.",
                ) from error
        if answer.returncode:
            said = masked(" ".join(answer.stderr.split())).removeprefix("Error: ")
            raise RouteError(f"Helm said: {said[:LONGEST]}")
        return answer.stdout

    def _environment(self, folder: str) -> Mapping[str, str]:
        """Return the variables with which Helm writes into ``folder`` alone, and talks to no other cluster."""
        others = {name: value for name, value in os.environ.items() if not name.startswith(_NOT_ITS_OWN)}
        homes = {f"HELM_{home}_HOME": str(Path(folder, home.lower())) for home in ("CACHE", "CONFIG", "DATA")}
        caches = {"KUBECACHEDIR": str(Path(folder, "kube"))}
        return {**others, **homes, **caches, **({"KUBECONFIG": self.kubeconfig} if self.kubeconfig else {})}
