"""What is built or installed once."""

import sys
import threading
from pathlib import Path

import pytest

from sandbox import binaries, toolchain
from sandbox.errors import SandboxError
from sandbox.install import install_once, run_visibly, version_key


def test_a_folder_is_made_once_even_by_many_at_a_time(tmp_path: Path) -> None:
    made = []
    started = threading.Barrier(8)

    def make(folder: Path) -> None:
        made.append(folder)
        (folder / "file").write_text("x")

    def ask() -> None:
        started.wait()
        install_once(tmp_path / "target", make)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(made) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target", "target.lock"]
    assert (tmp_path / "target" / "file").read_text() == "x"


def test_a_failed_build_leaves_nothing_that_looks_like_a_build(tmp_path: Path) -> None:
    def make(folder: Path) -> None:
        (folder / "half").write_text("x")
        raise SandboxError("disk full")

    with pytest.raises(SandboxError, match="disk full"):
        install_once(tmp_path / "target", make)

    assert [path.name for path in tmp_path.iterdir()] == ["target.lock"]


def test_a_failed_command_is_reported_with_its_words(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SandboxError, match=r"(?s)the thing failed:.*it is broken"):
        run_visibly("the thing", "trying", [sys.executable, "-c", "raise SystemExit('it is broken')"])

    assert capsys.readouterr().err == "the thing: trying ...\n"


def test_another_lock_file_is_another_version(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    first = version_key(tmp_path / "a")
    (tmp_path / "a").write_text("2")

    assert version_key(tmp_path / "a") != first


def test_the_assets_of_envtest_are_used_when_they_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))
    for name in ("etcd", "kube-apiserver"):
        (tmp_path / name).touch(mode=0o755)

    found = binaries.binaries()

    assert found == binaries.Binaries(etcd=tmp_path / "etcd", kube_apiserver=tmp_path / "kube-apiserver")


def test_assets_that_are_not_all_there_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBEBUILDER_ASSETS", str(tmp_path))

    with pytest.raises(SandboxError, match="which has no kube-apiserver and no etcd"):
        binaries.binaries()


@pytest.mark.parametrize(
    ("answer", "usable"),
    [
        ("go1.99.1\nlocal", True),
        ("go1.21.0\nauto", True),
        ("go1.21.0\nlocal", False),
        ("go1.19.8\n", False),
        ("", False),
    ],
)
def test_a_go_is_used_when_it_can_build_or_fetch_one_that_can(tmp_path: Path, answer: str, usable: bool) -> None:
    fake = tmp_path / "go"
    fake.write_text(f"#!/bin/sh\nprintf '%s\\n' '{answer}'\n")
    fake.chmod(0o755)

    assert toolchain._can_build(str(fake)) is usable
