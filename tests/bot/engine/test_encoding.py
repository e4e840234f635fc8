from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.commands.origin import Origin, Surface
from bot.domain.commands.request import StartWords
from bot.domain.plan import Wishes
from bot.domain.rollout import Ask, Phase
from bot.engine.encoding import annotation, read_request, read_rollout, request_json, rollout_json
from bot.engine.notes import Notes
from bot.engine.route_port import Proof
from tests.builders import a_request, a_rollout

OLDEST = (
    '{"v":1,"rollout":{"id":"r-7f3a2c01","channel":"C0INFER001","started_by":"U0ALICE001",'
    '"started_at":"2026-11-23T12:00:00Z","reason":"H100 nodes","namespace":"default","route":"llm-route",'
    '"route_uid":"uid-1","stable":{"namespace":"default","name":"vllm-llama3-8b-instruct",'
    '"group":"inference.networking.k8s.io"},"canary":{"namespace":"default","name":"vllm-llama3-8b-instruct-new",'
    '"group":"inference.networking.k8s.io"},"rules":[{"key":"matches:all","index":0,'
    '"stable_ref":"{\\"group\\":\\"inference.networking.k8s.io\\",\\"kind\\":\\"InferencePool\\",'
    '\\"name\\":\\"vllm-llama3-8b-instruct\\",\\"weight\\":1}","stable_index":0,"stable_before":1,'
    '"canary_before":null}],"plan":{"steps":[10,25,50,100],"interval":"PT10M","bake":"PT30M","approve_at":[50,100],'
    '"approvals":1,"requester_may_approve":false},"phase":"progressing","since":"2026-11-23T12:00:00Z","step":0,'
    '"base":0,"revision":2,"decision":"d2","decided_at":"2026-11-23T12:00:00Z","turn":2,"by":"","why":"","left":null,'
    '"drift":null,"restored":[],"ask":null}}'
)


def test_the_oldest_record_is_still_read() -> None:
    assert read_rollout(OLDEST) == a_rollout()


OLDEST_REQUEST = (
    '{"command":{"verb":"start","subject":"vllm-llama3-8b-instruct-new","reason":"H100","start":{"weight":10,"stable":"",'
    '"route":"","namespace":"","rule":"","wishes":{"steps":null,"interval":"PT10M","bake":null,"approve_at":[50]}}},'
    '"by":"U0BOB00001","channel":"C0INFER001","delivery":"delivery-1","at":"2026-11-23T12:00:00Z","turn":null,'
    '"reply_to":""}'
)


def test_the_oldest_request_is_still_read() -> None:
    words = StartWords(weight=10, wishes=Wishes(interval=timedelta(minutes=10), approve_at=(50,)))
    request = a_request("start", reason="H100")
    assert read_request(OLDEST_REQUEST) == replace(request, command=replace(request.command, start=words))


@pytest.mark.parametrize(
    ("channel", "delivery", "origin"),
    [
        ("", "terminal:1", Origin(surface=Surface.TERMINAL)),
        ("C0INFER001", "terminal:1", Origin(surface=Surface.TERMINAL, channel="C0INFER001")),
        ("D0ALICE001", "t1", Origin(surface=Surface.DIRECT)),
    ],
)
def test_where_an_old_request_came_from_follows_from_its_channel_and_its_delivery(
    channel: str, delivery: str, origin: Origin
) -> None:
    old = OLDEST_REQUEST.replace('"C0INFER001"', f'"{channel}"').replace("delivery-1", delivery)
    assert read_request(old).origin == origin


@pytest.mark.parametrize("surface", Surface)
def test_a_request_is_written_as_it_is_read(surface: Surface) -> None:
    request = a_request("pause", origin=Origin(surface=surface, channel="C0INFER001"))
    assert read_request(request_json(request)) == request


@pytest.mark.parametrize("text", ["", "7", "[]", "{}", "[" * 100_000])
def test_a_text_that_is_not_a_request_is_a_value_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_request(text)


def test_a_record_is_written_as_it_is_read() -> None:
    rollout = a_rollout(phase=Phase.PAUSED, left=Phase.HOLDING, ask=Ask(id="a", step=2, approvals=("U1",)))
    assert read_rollout(rollout_json(rollout)) == rollout
    assert read_rollout(annotation(rollout)) == rollout


def test_a_text_that_is_not_our_record_is_none() -> None:
    assert [read_rollout(text) for text in ("", "{}", "[]", '{"v":2,"rollout":{}}', '{"v":1,"rollout":{"id":1}}')] == [
        None
    ] * 5


@given(st.text(max_size=3000))
def test_an_annotation_is_ascii_without_what_the_api_server_encodes_otherwise(reason: str) -> None:
    text = annotation(replace(a_rollout(), reason=reason))
    assert text.isascii()
    assert not set(text) & set("<>&\x7f")
    assert read_rollout(text) == replace(a_rollout(), reason=reason)


def test_a_record_out_of_bounds_is_read_neither_from_redis_nor_from_a_note_not_even_a_signed_one() -> None:
    unsound = replace(a_rollout(), by="x" * 256)
    signing = Notes((b"k" * 32,))
    read = read_rollout(rollout_json(unsound)), Notes().read(annotation(unsound)), signing.read(signing.write(unsound))
    assert read == (None, None, None)


def test_a_note_is_read_by_each_process_with_its_own_keys_however_long_it_is() -> None:
    ours, others = Notes((b"k" * 32,)), Notes((b"o" * 32,))
    for rollout in (a_rollout(), replace(a_rollout(), restored=("r" * 200,) * 30)):
        text = ours.write(rollout)
        proofs = [note.proof for notes in (ours, others, ours) if (note := notes.read(text))]
        assert proofs == [Proof.SIGNED, Proof.UNSIGNED, Proof.SIGNED]
