"""Addresses that name Sentinels: what is read, and what is none."""

import pytest

from bot.config.redis_url import Sentinels, password_of, read_sentinels

ONE = Sentinels(hosts=(("s1", 26379),), primary="primary", database=0, username=None, password=None, tls=False)


@pytest.mark.parametrize(
    ("url", "meant"),
    [
        ("redis+sentinel://s1/primary", ONE),
        ("redis+sentinel://s1:26379/primary/", ONE),
        ("redis+sentinel://s1/primary/12", ONE._replace(database=12)),
        ("rediss+sentinel://s1/primary", ONE._replace(tls=True)),
        ("redis+sentinel://s1:1,s2, [::1]:3/primary", ONE._replace(hosts=(("s1", 1), ("s2", 26379), ("::1", 3)))),
        ("redis+sentinel://:hunter2@s1/primary", ONE._replace(password="hunter2")),
        ("redis+sentinel://bot:p%40%2Fss@s1/primary", ONE._replace(username="bot", password="p@/ss")),
        ("redis+sentinel://:p@ss:word@s1/primary", ONE._replace(password="p@ss:word")),
        ("redis+sentinel://s1/my%20primary", ONE._replace(primary="my primary")),
    ],
)
def test_what_an_address_says(url: str, meant: Sentinels) -> None:
    assert read_sentinels(url) == meant


@pytest.mark.parametrize(
    ("url", "password"),
    [
        ("redis://redis:6379/0", ""),
        ("redis://bot:p%40ss@redis/0", "p%40ss"),
        ("unix://bot:secret@/run/redis.sock", "secret"),
        ("redis+sentinel://:p@ss:word@s1,[::1]:3/primary", "p@ss:word"),
    ],
)
def test_the_password_is_found_to_be_kept_out_of_the_log(url: str, password: str) -> None:
    assert password_of(url) == password


@pytest.mark.parametrize(
    "rest",
    [
        "",
        "s1",
        "s1/",
        "/primary",
        "s1,/primary",
        "s1:port/primary",
        "s1:0/primary",
        "s1:99999/primary",
        "[::1/primary",
        "s1/primary/first",
        "s1/primary/0/1",
        "s1/primary/-1",
        "s1/primary/\u0661",
        "s1/primary?db=1",
        "s1/primary#1",
        ":pass#word@s1/primary",
    ],
)
def test_a_text_that_is_not_an_address(rest: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # some are the library's words, and nobody sees any
        read_sentinels(f"redis+sentinel://{rest}")
