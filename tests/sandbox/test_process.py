"""Server processes end with the sandbox, however it ends, and leave nothing behind."""

import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sandbox import folders
from sandbox.errors import SandboxError
from sandbox.identity import is_running
from sandbox.process import Server, free_ports, wait_until
from sandbox.workplace import live, sweep, workplace

# A sandbox with one server: it prints the server's pid and waits to be ended.
PROGRAM = """
import sys
from sandbox.process import Server
from sandbox.signals import stop_on_signals
from sandbox.workplace import workplace
stop_on_signals()
with workplace("child") as place:
    server = Server("sleeper", ["/bin/sleep", "600"], place.folder)
    try:
        server.start()
        place.publish({"name": "child"})
        print(server.pid, flush=True)
        sys.stdin.read()
    finally:
        server.kill()
"""


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))


@pytest.fixture
def child() -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Return a sandbox in its own process, and the pid of its server."""
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=Path.cwd()
    ) as process:
        assert process.stdout is not None
        try:
            yield process, int(process.stdout.readline())
        finally:
            process.kill()


def test_two_ports_are_never_the_same() -> None:
    assert len(set(free_ports(50))) == 50


def test_a_port_is_kept_for_its_server_until_it_listens_and_between_two_starts() -> None:
    (port,) = free_ports(1)
    for _ in range(2):
        with socket.socket() as other, pytest.raises(OSError, match="Address already in use"):
            other.bind(("127.0.0.1", port))
        with socket.create_server(("127.0.0.1", port)) as server, socket.create_connection(server.getsockname()):
            pass


def test_a_program_that_has_ended_is_sent_no_signal(tmp_path: Path) -> None:
    server = Server("sleeper", ["/bin/sleep", "600"], tmp_path)
    server.start()
    server.freeze()
    server.kill()

    server.thaw()

    assert server.ended(seconds=5) == -signal.SIGKILL


def test_a_program_that_ends_early_is_reported_with_its_words(tmp_path: Path) -> None:
    server = Server("grumbler", ["/bin/sh", "-c", "echo no such flag >&2; exit 3"], tmp_path)
    server.start()

    with pytest.raises(SandboxError, match=r"(?s)grumbler ended before it answered:.*no such flag"):
        server.wait_ready(lambda: False)


def test_a_server_outlives_the_thread_that_asked_for_it(tmp_path: Path) -> None:
    server = Server("sleeper", ["/bin/sleep", "600"], tmp_path)
    thread = threading.Thread(target=server.start)
    thread.start()
    thread.join()

    with pytest.raises(SandboxError, match="sleeper did not end within 0 s"):
        server.ended(seconds=0.3)

    server.kill()
    assert not server.alive()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_the_servers_and_removes_the_folder(
    child: tuple[subprocess.Popen[str], int], number: signal.Signals
) -> None:
    process, server = child
    assert [state["name"] for state in live()] == ["child"]

    def ended() -> bool:
        # Sent again: the child may miss a signal that comes just before its read().
        process.send_signal(number)
        return process.poll() is not None

    wait_until("the end of the sandbox", ended, seconds=10, pause=0.5)

    wait_until("the server gone", lambda: not is_running(server), seconds=5)
    assert (live(), list(folders.runs().iterdir())) == ([], [])


def test_a_killed_sandbox_takes_its_servers_with_it_and_the_next_one_cleans_up(
    child: tuple[subprocess.Popen[str], int],
) -> None:
    process, server = child

    process.kill()
    process.wait(10)

    wait_until("the server gone", lambda: not is_running(server), seconds=5)
    assert live() == []
    with workplace() as place:
        assert [folder.name for folder in folders.runs().iterdir()] == [place.name] == ["sandbox-1"]


def test_a_sweep_ends_the_servers_of_a_dead_owner_where_the_kernel_did_not(tmp_path: Path) -> None:
    server = Server("sleeper", ["/bin/sleep", "600"], tmp_path)
    server.start()
    folder = folders.runs() / "crashed"
    folder.mkdir(parents=True)
    (folder / "owner").write_text(json.dumps([1, "long ago"]))
    (tmp_path / "sleeper.pid").rename(folder / "sleeper.pid")

    sweep()

    wait_until("the server gone", lambda: not server.alive(), seconds=5)
    assert not folder.exists()


def test_sweeps_by_several_processes_at_once_do_not_stumble_over_what_another_one_has_removed() -> None:
    for number in range(10):
        crashed = folders.runs() / f"crashed-{number}"
        for part in range(100):
            (crashed / f"server-{part}").mkdir(parents=True)
        (crashed / "owner").write_text(json.dumps([1, "long ago"]))
        with ThreadPoolExecutor(4) as pool:
            sweeps = [pool.submit(sweep) for _ in range(4)]
        assert [one.result() for one in sweeps] == [None] * 4
    assert list(folders.runs().iterdir()) == []


def test_a_sweep_leaves_a_process_alone_that_only_has_the_same_pid(tmp_path: Path) -> None:
    server = Server("sleeper", ["/bin/sleep", "600"], tmp_path)
    server.start()
    folder = folders.runs() / "crashed"
    folder.mkdir(parents=True)
    (folder / "owner").write_text(json.dumps([1, "long ago"]))
    (folder / "sleeper.pid").write_text(json.dumps([server.pid, "long ago"]))

    sweep()

    assert server.alive()
    server.kill()


def test_a_process_that_ends_while_it_is_looked_at_does_not_run() -> None:
    """Its entry in /proc can go at any time, even after it was opened."""
    for _ in range(100):
        with subprocess.Popen(["/bin/sleep", "0.005"]) as process:
            ending = threading.Thread(target=process.wait)
            ending.start()
            wait_until("the end", lambda pid=process.pid: not is_running(pid), seconds=10, pause=0)  # type: ignore[misc]
            ending.join()


def test_two_sandboxes_run_side_by_side_but_not_under_one_name() -> None:
    with workplace() as first, workplace() as second, workplace("mine") as third:
        assert [first.name, second.name, third.name] == ["sandbox-1", "sandbox-2", "mine"]
        with pytest.raises(SandboxError, match="`mine` is running already"), workplace("mine"):
            pass

    assert list(folders.runs().iterdir()) == []
