"""The real Helm, on the sandbox's API server."""

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox.errors import SandboxError

HELM_SECONDS = 60


@dataclass(frozen=True)
class Helm:
    """Runs as the user of ``kubeconfig``; its own files lie in ``folder``."""

    binary: Path
    kubeconfig: Path
    folder: Path

    def environment(self) -> dict[str, str]:
        """Return the variables with which it leaves nothing outside ``folder``."""
        homes = {f"HELM_{home}_HOME": str(self.folder / home.lower()) for home in ("CACHE", "CONFIG", "DATA")}
        return {"KUBECONFIG": str(self.kubeconfig), **homes}

    def install(self, release: str, namespace: str, chart: Path, values: Mapping[str, Any]) -> None:
        """Install a chart. Raises SandboxError with Helm's own words."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self.folder / f"{namespace}.{release}.json"
        file.write_text(json.dumps(values))
        self.run("install", release, str(chart), "--namespace", namespace, "--values", str(file))

    def uninstall(self, release: str, namespace: str) -> None:
        """Uninstall a release."""
        self.run("uninstall", release, "--namespace", namespace)

    def releases(self, namespace: str) -> list[str]:
        """Return the names of the releases of a namespace."""
        return [one["name"] for one in json.loads(self.run("list", "--namespace", namespace, "--output", "json"))]

    def run(self, *arguments: str) -> str:
        """Run one command and return what it prints. Raises SandboxError with Helm's own words."""
        # Whoever runs this may have variables that point Helm at another cluster.
        others = {name: value for name, value in os.environ.items() if not name.startswith(("HELM_", "KUBE"))}
        try:
            answer = subprocess.run(
                [self.binary, *arguments],
                env={**others, **self.environment()},
                capture_output=True,
                text=True,
                check=False,
                timeout=HELM_SECONDS,
            )
        except subprocess.TimeoutExpired:
            raise SandboxError(f"helm {arguments[0]} did not end within {HELM_SECONDS} s.") from None
        if answer.returncode:
            raise SandboxError(f"helm {arguments[0]}: {answer.stderr.strip()}")
        return answer.stdout
