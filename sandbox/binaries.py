"""etcd and kube-apiserver: from ``KUBEBUILDER_ASSETS``, or built once from the modules that ``tools/`` pins."""

import json
import os
import platform
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from sandbox.errors import SandboxError
from sandbox.folders import TOOLS, cache
from sandbox.install import install_once, run_visibly, say, version_key
from sandbox.toolchain import go

# The order matters: etcd shares most packages with the API server, so it builds in seconds after it.
PACKAGES = {
    "kube-apiserver": (
        "k8s.io/kubernetes/cmd/kube-apiserver",
        "building from source, once; about 5 minutes on 2 cores",
    ),
    "etcd": ("go.etcd.io/etcd/server/v3", "building from source, once; seconds"),
}
CRD_MODULES = {
    "sigs.k8s.io/gateway-api": (
        "config/crd/standard/gateway.networking.k8s.io_gatewayclasses.yaml",
        "config/crd/standard/gateway.networking.k8s.io_gateways.yaml",
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
        "config/crd/standard/gateway.networking.k8s.io_referencegrants.yaml",
    ),
    "sigs.k8s.io/gateway-api-inference-extension": (
        "config/crd/bases/inference.networking.k8s.io_inferencepools.yaml",
    ),
}


@dataclass(frozen=True)
class Binaries:
    """The two servers of a control plane."""

    etcd: Path
    kube_apiserver: Path


def binaries() -> Binaries:
    """Return the servers. The first call on a machine builds them."""
    folder = _assets() or install_once(folder_for("servers", TOOLS), _build)
    return Binaries(etcd=folder / "etcd", kube_apiserver=folder / "kube-apiserver")


def crds() -> list[Path]:
    """Return the files of the published custom resource definitions, one object in each."""
    folder = install_once(folder_for("crds", TOOLS / "crds"), _fetch_crds)
    return sorted(folder.glob("*.yaml"))


def _assets() -> Path | None:
    value = os.environ.get("KUBEBUILDER_ASSETS")
    if not value:
        return None
    missing = [name for name in PACKAGES if not os.access(Path(value) / name, os.X_OK)]
    if missing:
        raise SandboxError(f"KUBEBUILDER_ASSETS is {value}, which has no {' and no '.join(missing)}.")
    return Path(value)


def folder_for(kind: str, module: Path) -> Path:
    """Return the folder in the cache for what is built from a module: another one for each machine and version."""
    machine = f"{platform.system()}-{platform.machine()}".lower()
    return cache() / kind / f"{machine}-{version_key(module / 'go.mod', module / 'go.sum')}"


def _build(folder: Path) -> None:
    tool = go()
    flags = ["-mod=readonly", "-trimpath", "-ldflags", f"-s -w {_version_flags()}"]
    for name, (package, about) in PACKAGES.items():
        build = [*tool.command, "build", *flags, "-o", str(folder / name), package]
        run_visibly(name, about, build, cwd=TOOLS, env={**tool.env, "CGO_ENABLED": "0"})


def _version_flags() -> str:
    """Return the flags that set the version; without them it is `v0.0.0-master`, as there is no git checkout."""
    match = re.search(r"k8s\.io/kubernetes v(\d+)\.(\d+)\.(\d+)", (TOOLS / "go.mod").read_text())
    if match is None:
        raise SandboxError("tools/go.mod names no version of k8s.io/kubernetes.")
    major, minor, patch = match.groups()
    values = {"gitVersion": f"v{major}.{minor}.{patch}", "gitMajor": major, "gitMinor": minor}
    return " ".join(f"-X k8s.io/component-base/version.{name}={value}" for name, value in values.items())


def _fetch_crds(folder: Path) -> None:
    say("custom resource definitions: reading them from their modules ...")
    for name, files in CRD_MODULES.items():
        source = module(name, TOOLS / "crds")
        for file in files:
            (folder / Path(file).name).write_bytes((source / file).read_bytes())


def module(name: str, pinned_in: Path) -> Path:
    """Return the folder of a module that the go.mod in ``pinned_in`` names. Go has checked its content."""
    tool = go()
    command = [*tool.command, "mod", "download", "-json", name]
    env = {**os.environ, **tool.env}
    answer = subprocess.run(command, cwd=pinned_in, env=env, capture_output=True, text=True, check=False)
    found = json.loads(answer.stdout or "{}")
    if "Dir" not in found:
        raise SandboxError(f"{name} could not be fetched: {found.get('Error') or answer.stderr.strip()}")
    return Path(found["Dir"])
