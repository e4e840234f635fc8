"""Several installs in one database: each has its own, and what was there before installs goes to one of them, once."""

import logging
from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis

from bot.domain.errors import StoreError
from bot.engine.store_port import Shown
from bot.store.connection import connect
from bot.store.installs import InstallIdentity, Installs
from bot.store.keys import ROOT, prefix_of
from bot.store.lease import Lease
from bot.store.store import RedisStore, open_memory
from sandbox.process import wait_until
from tests.bot.store.saves import STARTED, STEPPED, a_save
from tests.builders import NOON, a_request

ONE, OTHER = InstallIdentity(named="one"), InstallIdentity(named="other")


@pytest.fixture
def client(redis_url: str) -> Iterator["redis.Redis"]:
    client = connect(redis_url)
    client.flushdb()
    yield client
    client.close()


def store_of(client: "redis.Redis", prefix: str) -> RedisStore:
    return open_memory(client, lambda: prefix).store


def old_data(client: "redis.Redis") -> RedisStore:
    """Have a bot of before the time of installs work here."""
    store = store_of(client, ROOT)
    store.declare_whole(NOON)
    store.receive(a_request("pause"))
    store.save(a_save(STARTED, take_slot=True))
    store.show(STARTED.id, Shown(channel="C1", ts="1.2"), was=None)
    client.set(f"{ROOT}lease", "a bot of before", px=10_000)
    return store


@pytest.mark.parametrize(
    ("identity", "known", "name"),
    [
        (InstallIdentity(named="prod"), {"uid": "ca"}, "prod"),
        (InstallIdentity(uid="uid", mark="ca"), {}, "uid"),
        (InstallIdentity(uid="", mark="ca"), {}, "ca"),  # it may not be read
        (InstallIdentity(uid=None, mark="ca"), {}, ""),  # it is not known yet
        (InstallIdentity(uid="uid", mark="ca"), {"ca": "ca"}, "ca"),  # the right to read it came later
        (InstallIdentity(uid="", mark="ca"), {"uid": "ca"}, "uid"),  # a terminal, or a bot, without that right
        (InstallIdentity(uid=None, mark="ca"), {"uid": "ca"}, "uid"),  # a new process while the API server is away
        (InstallIdentity(uid="uid-2", mark="ca"), {"uid-1": "ca"}, "uid-2"),  # two clusters with one authority
        (InstallIdentity(uid=None, mark="ca"), {"uid-1": "ca", "uid-2": "ca"}, ""),
        (InstallIdentity(uid=None, mark="ca"), {"prod": ""}, ""),  # a name is only for those who say it
        (InstallIdentity(), {"prod": ""}, ""),
        (InstallIdentity(uid="", mark="ca"), {"prod": "", "uid": "other"}, "ca"),
    ],
)
def test_the_name_of_an_install(identity: InstallIdentity, known: dict[str, str], name: str) -> None:
    assert identity.name(known) == name


def test_two_installs_on_one_database_do_not_meet(client: "redis.Redis") -> None:
    one, other = (store_of(client, prefix_of(Installs(client).join(each))) for each in (ONE, OTHER))
    one.declare_whole(NOON)
    one.save(a_save(STARTED, take_slot=True))
    one.receive(a_request("pause"))
    assert (other.load(STARTED.id), other.entries(), other.slot("uid-1")) == (None, [], None)
    assert (other.requests(NOON + timedelta(hours=1)), other.dirty(10), other.is_whole()) == ([], {}, False)
    other.declare_whole(NOON)
    assert (other.claim_due(NOON), one.claim_due(NOON)) == ([], [(STARTED.id, NOON)])


def test_each_install_has_a_leader(client: "redis.Redis") -> None:
    leases = [Lease(client, lambda name=name: prefix_of(name)) for name in ("one", "other")]  # type: ignore[misc]
    for lease in leases:
        lease.seek()
    wait_until("both leases", lambda: all(lease.held for lease in leases), seconds=5)
    for lease in leases:
        lease.stop()


def test_another_install_is_named_in_the_log_once(client: "redis.Redis", caplog: pytest.LogCaptureFixture) -> None:
    Installs(client).join(ONE)
    installs = Installs(client)
    with caplog.at_level(logging.INFO):
        installs.join(OTHER)
        installs.stay()
    assert caplog.messages == ["this Redis also holds data of install one; install other leaves it alone"]


def test_an_install_is_on_the_list_again_after_redis_lost_it(client: "redis.Redis") -> None:
    installs = Installs(client)
    installs.join(InstallIdentity(uid="uid", mark="ca"))
    client.flushdb()
    installs.stay()
    assert Installs(client).find(InstallIdentity(uid=None, mark="ca")) == "uid"


def test_without_the_clusters_id_nothing_is_guessed(client: "redis.Redis") -> None:
    with pytest.raises(StoreError) as unknown:
        Installs(client).join(InstallIdentity())
    assert str(unknown.value) == (
        "I do not know yet which data in Redis is mine: the API server has not told me the cluster's id. "
        "To start without it, set `ROLLOUTBOT_INSTALL`, or `install` in the policy file."
    )


def test_a_guest_is_told_which_installs_there_are(client: "redis.Redis") -> None:
    assert Installs(client).find(InstallIdentity(named="lab")) == "lab"
    for each in (OTHER, ONE):
        Installs(client).join(each)
    with pytest.raises(StoreError) as refused:
        Installs(client).find(InstallIdentity(named="lab"))
    assert str(refused.value) == (
        "Redis holds no data of install `lab`, only of `one`, `other`. "
        "Name the one you mean in `ROLLOUTBOT_INSTALL`, or as `install` in the policy file."
    )


# --- data from before


def test_the_first_install_takes_over_what_was_there_before_with_all_that_belongs_to_it(client: "redis.Redis") -> None:
    before = old_data(client)
    held = {key.removeprefix(ROOT): (client.dump(key), client.ttl(key)) for key in map(str, client.scan_iter())}
    entry = before.load(STARTED.id)
    after = store_of(client, prefix_of(Installs(client).join(ONE)))
    assert (after.is_whole(), after.load(STARTED.id), after.shown(STARTED.id)) == (
        True,
        entry,
        Shown(channel="C1", ts="1.2"),
    )
    assert after.requests(NOON + timedelta(hours=1)) == [a_request("pause")]
    prefix = prefix_of("one")
    moved = {key.removeprefix(prefix): (client.dump(key), client.ttl(key)) for key in client.scan_iter(f"{prefix}*")}
    assert moved.keys() == held.keys() - {"lease"}
    assert {name: ttl > 0 for name, (_, ttl) in moved.items()} == {name: held[name][1] > 0 for name in moved}


def test_no_other_install_takes_it_over_again(client: "redis.Redis") -> None:
    old_data(client)
    Installs(client).join(ONE)
    other = store_of(client, prefix_of(Installs(client).join(OTHER)))
    assert (other.is_whole(), other.entries()) == (False, [])
    store_of(client, prefix_of("one")).save(a_save(STEPPED, STARTED.decision))
    Installs(client).join(ONE)
    entry = store_of(client, prefix_of("one")).load(STARTED.id)
    assert entry is not None
    assert entry.rollout == STEPPED


def test_a_bot_of_before_that_still_runs_acknowledges_nothing_and_decides_nothing_any_more(
    client: "redis.Redis",
) -> None:
    before = old_data(client)
    Installs(client).join(ONE)
    for act in (
        lambda: before.receive(a_request("rollback")),
        before.is_whole,
        lambda: before.claim_due(NOON),
        lambda: before.save(a_save(STEPPED, STARTED.decision)),
    ):
        with pytest.raises(StoreError, match="Redis refused"):
            act()
    Installs(client).join(ONE)
    entry = store_of(client, prefix_of("one")).load(STARTED.id)
    assert entry is not None
    assert entry.rollout == STARTED


def test_it_takes_over_thousands_of_keys_with_no_right_to_dangerous_commands(client: "redis.Redis") -> None:
    old_data(client)
    for number in range(3_000):
        client.set(f"{ROOT}shown:r-{number}", "{}")
    rules = {"enabled": True, "nopass": True, "keys": ["{rolloutbot}:*"], "categories": ["+@all", "-@dangerous"]}
    client.acl_setuser("modest", **rules)  # type: ignore[arg-type]
    try:
        with connect(url_of(client, "modest")) as modest:
            Installs(modest).join(ONE)
    finally:
        client.acl_deluser("modest")
    assert {key for key in map(str, client.scan_iter(count=1000)) if not key.startswith(prefix_of("one"))} == {
        f"{ROOT}{name}" for name in ("installs", "store", "inbox", "lease")
    }


def url_of(client: "redis.Redis", user: str) -> str:
    where = client.connection_pool.connection_kwargs
    return f"redis://{user}:any@{where['host']}:{where['port']}/{where['db']}"


def test_the_log_says_what_was_taken_over(client: "redis.Redis", caplog: pytest.LogCaptureFixture) -> None:
    old_data(client)
    keys = client.dbsize() - 1  # but the lease
    Installs(client).join(ONE)
    assert caplog.messages == [f"install one took over the data from before the bot had installs: {keys} keys"]
