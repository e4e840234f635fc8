"""At the door for Slack's requests: unsigned, unclear, misshapen, answers to other addresses, and silence."""

import json
import random
import socket
import time
from collections.abc import Mapping, Sequence
from contextlib import closing, suppress
from typing import Any
from urllib.parse import parse_qs, urlencode

from slack_sdk.signature import SignatureVerifier

from hostile.stand import ALICE, Stand
from hostile.tried import Tried
from sandbox.slack import SIGNING_SECRET

HEADERS = ("X-Slack-Signature", "X-Slack-Request-Timestamp", "Content-Type")
ODD = ("", "é", "v0=", "v0=\xff", "\t", "0" * 64, "v0=" + "0" * 64, "v1=00", "-1", "9" * 30, "1.5", "a" * 4000)


def unsigned(stand: Stand, dice: random.Random, count: int) -> Tried:
    """Requests that Slack did not sign, with bodies that would do something."""
    found = Tried()
    for _ in range(count):
        body = stand.slack.command(dice.choice(("rollback", "promote", "end because", "status")), user=ALICE).body
        headers = {name: dice.choice(ODD) for name in dice.sample(HEADERS, dice.randint(0, 3))}
        if dice.random() < 0.3:
            stamp = str(int(time.time()) - dice.choice((400, 4000, -400)))
            headers = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": _signature(stamp, body)}
        status = _raw(stand, _request(body.encode(), headers))
        found.count(status, "unsigned")
        if status == 200:
            found.through.append(f"an unsigned request was taken: {headers}")
    return found


LENGTHS = (
    b"Content-Length: 5\r\nTransfer-Encoding: chunked",
    b"Content-Length: 5\r\nContent-Length: 6",
    b"Content-Length:\t5",
    b"Content_Length: 5",
    b"Content-Length: 1_0",
    b"Content-Length: +5",
    b"Content-Length: -5",
    b"Content-Length: 0x5",
    b"Content-Length: " + b"9" * 5000,
    b"Transfer-Encoding: gzip, chunked",
    b"Transfer-Encoding: \x0bchunked",
    b"Transfer-Encoding:\r\n chunked",
    b"Content-Length : 5",
    b"X: y\nContent-Length: 5",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
)
ADDRESSES = (b"http://[", b"http://[::1/x", b"//[", b"*", b"http://x:99999/", b"/%", b"/slack/events;x", b"\xff", b"")


def unclear(stand: Stand, dice: random.Random, count: int) -> Tried:
    """Requests that two servers may read in different ways, and bytes that are no request."""
    found = Tried()
    for _ in range(count):
        head = b"POST /slack/events HTTP/1.1\r\nHost: x\r\n" + dice.choice(LENGTHS) + b"\r\n\r\nhello"
        noise = bytes(dice.randrange(256) for _ in range(dice.randrange(1, 300))) + b"\r\n\r\n"
        odd = b"GET " + dice.choice(ADDRESSES) + b" HTTP/1." + dice.choice((b"0", b"1")) + b"\r\nHost: x\r\n\r\n"
        found.count(_raw(stand, dice.choice((head, noise, odd))), "unclear")
    return found


VALUES: Sequence[Any] = (
    None,
    0,
    -1,
    1e308,
    "",
    "x" * 5000,
    "\ud800",
    [],
    {},
    [[]],
    True,
    "<!channel>",
    {"a": {"b": []}},
)


def misshapen(stand: Stand, dice: random.Random, count: int) -> Tried:
    """Signed requests whose payload has other types, lacks keys, or is nested deeply."""
    found = Tried()
    card = stand.slack.cards()[-1]
    click = stand.slack.click(card["ts"], "rollout_pause", user=ALICE, value="{}").body
    view = {"id": "V1", "type": "modal", "callback_id": "rollout_end", "private_metadata": "{}"}
    dialog = stand.slack.submission(view, {"reason": {"reason": "enough"}}, user=ALICE).body
    for _ in range(count):
        payload = json.loads(parse_qs(dice.choice((click, dialog)))["payload"][0])
        where = payload
        while dice.random() < 0.5:
            inner = [value for value in _values(where) if isinstance(value, dict | list) and value]
            if not inner:
                break
            where = dice.choice(inner)
        _spoil(where, dice)
        text = json.dumps(payload) if dice.random() < 0.9 else "[" * 5000
        body = urlencode({"payload": text}) if dice.random() < 0.9 else text
        stamp = str(int(time.time()))
        kind = dice.choice(("application/x-www-form-urlencoded", "application/json", "text/plain"))
        signed = {"X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": _signature(stamp, body)}
        found.count(_raw(stand, _request(body.encode(), {"Content-Type": kind, **signed})), "misshapen")
    return found


def elsewhere(stand: Stand, dice: random.Random, count: int) -> Tried:
    """Signed questions whose answer is to go to an address that is not Slack's."""
    found, called = Tried(), 0
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        listener.setblocking(False)
        port = listener.getsockname()[1]
        slack = stand.slack.url.removeprefix("http://")
        forms = (
            "http://127.0.0.1:{}/x",
            "http://{slack}@127.0.0.1:{}/",
            "http://127.0.0.1:{}/{slack}",
            "HTTP://127.0.0.1:{}",
            "//127.0.0.1:{}",
            "https://hooks.slack.com@127.0.0.1:{}/",
            "https://hooks.slack.com.127.0.0.1:{}/",
            "http://127.0.0.1:{}#https://hooks.slack.com/",
            "http://127.0.0.1:{}\\@hooks.slack.com/",
            " http://127.0.0.1:{}",
        )
        for _ in range(count):
            typed = stand.slack.command("advance nobody", user=ALICE)
            fields = {name: values[0] for name, values in parse_qs(typed.body).items()}
            body = urlencode({**fields, "response_url": dice.choice(forms).format(port, slack=slack)})
            found.count(_raw(stand, _request(body.encode(), _signed(body))), "elsewhere")
        time.sleep(1)
        with suppress(BlockingIOError):
            while True:
                listener.accept()[0].close()
                called += 1
    found.through += [f"{called} answers went elsewhere"] if called else []
    return found


def silent(stand: Stand, dice: random.Random, count: int) -> Tried:
    """Connections that say nothing, or one byte now and then."""
    found, held = Tried(), []
    host, _, port = stand.bot.address.rpartition(":")
    try:
        for _ in range(count):
            connection = socket.create_connection((host, int(port)), timeout=5)
            connection.sendall(dice.choice((b"", b"P", b"POST /slack/events HTTP/1.1\r\nHost: x\r\n")))
            held.append(connection)
            found.tried += 1
        if not stand.bot.is_live():
            found.through.append("/healthz does not answer")
        if not stand.say("status"):
            found.through.append("a person is not answered")
    finally:
        for connection in held:
            connection.close()
    found.refused = found.tried if not found.through else 0
    return found


def _signature(stamp: str, body: str) -> str:
    return str(SignatureVerifier(SIGNING_SECRET).generate_signature(timestamp=stamp, body=body))


def _signed(body: str) -> dict[str, str]:
    stamp = str(int(time.time()))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    return {**kind, "X-Slack-Request-Timestamp": stamp, "X-Slack-Signature": _signature(stamp, body)}


def _request(body: bytes, headers: Mapping[str, str]) -> bytes:
    lines = [f"{name}: {value}".encode("latin-1", "replace") for name, value in headers.items()]
    head = [b"POST /slack/events HTTP/1.1", b"Host: x", b"Content-Length: %d" % len(body), *lines]
    return b"\r\n".join([*head, b"", body])


def _raw(stand: Stand, sent: bytes) -> int:
    """Send bytes; return the answer's status, 0 if the connection was closed without one."""
    host, _, port = stand.bot.address.rpartition(":")
    received = b""
    with closing(socket.create_connection((host, int(port)), timeout=15)) as connection, suppress(ConnectionError):
        connection.sendall(sent)
        while more := connection.recv(4096):
            received += more
    return int(received.split()[1]) if received.startswith(b"HTTP/") else 0


def _values(document: Any) -> list[Any]:
    return list(document.values() if isinstance(document, dict) else document)


def _spoil(document: Any, dice: random.Random) -> None:
    """Remove a part of a JSON document, or replace it."""
    keys = list(document if isinstance(document, dict) else range(len(document)))
    key = dice.choice(keys)
    if dice.random() < 0.3:
        del document[key]
    else:
        document[key] = dice.choice(VALUES)
