"""A real primary with its replica, and the Sentinel that can promote the replica."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import redis

from sandbox.process import Server, free_ports, wait_until
from sandbox.valkey import Valkey, binary, valkey
from sandbox.workplace import Workplace

PRIMARY = "primary"
_NO_DELAY = {"repl-diskless-sync-delay": "0", "repl-diskless-load": "on-empty-db"}
_QUICK = ("info-period", "100", "ping-period", "100", "ask-period", "100")
"""How often the Sentinel looks, in milliseconds; its defaults are seconds."""


@dataclass(frozen=True)
class Trio:
    """``first`` is the primary until the Sentinel makes it ``second``."""

    first: Valkey
    second: Valkey
    sentinel: Valkey

    def url(self) -> str:
        """Return the address that names the Sentinel."""
        credentials = f":{self.first.password}@" if self.first.password else ""
        return f"redis+sentinel://{credentials}127.0.0.1:{self.sentinel.port}/{PRIMARY}/0"

    def wait_copied(self) -> None:
        """Wait until the replica has every write of the primary."""
        with redis.Redis.from_url(self.first.url()) as client:
            client.set("copied", "so far")  # WAIT counts only the writes of its own connection
            wait_until("the replica has every write", lambda: client.wait(1, 100) == 1)

    def fail_over(self) -> None:
        """Make the Sentinel promote the replica, and wait until it has."""
        with redis.Redis.from_url(self.sentinel.url()) as client:
            client.execute_command("SENTINEL", "FAILOVER", PRIMARY)
        self.wait_primary(self.second)

    def swap_by_hand(self) -> None:
        """Swap the two by hand. Unlike a Sentinel's failover, this ends no connection. The Sentinel follows later."""
        with redis.Redis.from_url(self.first.url()) as first, redis.Redis.from_url(self.second.url()) as second:
            second.replicaof("NO", "ONE")
            first.replicaof("127.0.0.1", self.second.port)

    @contextmanager
    def cut_off(self) -> Iterator[None]:
        """Freeze and disconnect the replica, so that writes do not even reach its socket."""
        self.second.server.freeze()
        with redis.Redis.from_url(self.first.url()) as client:
            client.client_kill_filter(_type="replica")
        yield
        self.second.server.thaw()

    def wait_primary(self, server: Valkey) -> None:
        """Wait until the Sentinel says that a server is the primary."""
        with redis.Redis.from_url(self.sentinel.url()) as client:
            wait_until("a fail-over", lambda: client.sentinel_master(PRIMARY)["port"] == server.port)


@contextmanager
def trio(place: Workplace, *, password: str = "") -> Iterator[Trio]:
    """Run a primary, its replica, and a Sentinel that misses a primary after 0.3 s."""
    with valkey(place, "first", password=password, options=_NO_DELAY) as first:
        copying = {**_NO_DELAY, "replicaof": f"127.0.0.1 {first.port}"}
        with valkey(place, "second", password=password, options=copying) as second:
            running = Trio(first, second, _sentinel(place, first))
            try:
                running.wait_copied()
                running.sentinel.start()
                _hurry(running)
                yield running
            finally:
                running.sentinel.server.kill()


def _sentinel(place: Workplace, primary: Valkey) -> Valkey:
    """Prepare a Sentinel. It keeps its state in its configuration file."""
    folder = place.folder / "sentinel"
    folder.mkdir()
    (port,) = free_ports(1)
    auth = [f"sentinel auth-pass {PRIMARY} {primary.password}"] if primary.password else []
    lines = [
        "bind 127.0.0.1",
        f"port {port}",
        f"dir {folder}",
        f"sentinel monitor {PRIMARY} 127.0.0.1 {primary.port} 1",
        f"sentinel down-after-milliseconds {PRIMARY} 300",
        f"sentinel failover-timeout {PRIMARY} 1000",
        *auth,
    ]
    file = folder / "sentinel.conf"
    file.write_text("\n".join(lines) + "\n")
    return Valkey(port, Server("sentinel", [binary(), file, "--sentinel"], folder))


def _hurry(running: Trio) -> None:
    """Make the Sentinel look more often, and wait until it knows the replica."""
    with redis.Redis.from_url(running.sentinel.url()) as client:
        client.execute_command("SENTINEL", "DEBUG", *_QUICK)
        wait_until("the Sentinel trusts the replica", lambda: _trusted(client) == ["ok"])


def _trusted(client: "redis.Redis") -> list[str]:
    return [str(replica["master-link-status"]) for replica in client.sentinel_slaves(PRIMARY)]
