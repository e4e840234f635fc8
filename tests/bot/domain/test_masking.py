"""Secrets in what people type and what programs say."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.domain.commands.grammar import parse
from bot.domain.commands.values import cut_reason
from bot.domain.masking import has_secret, masked
from k8s.messages import redacted

SECRETS = {
    "xoxb-123-456-abcDEF": "***",
    "xoxe.xoxp-1-abc": "***",
    "xapp-1-A0-1-abcdef": "***",
    "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJwbGFudGVkIn0.c2ln": "***",
    "ghp_0123456789abcdefABCD": "***",
    "github_pat_0123456789abcdefABCD": "***",
    "glpat-0123456789abcdef": "***",
    "hf_0123456789abcdefABCD": "***",
    "sk-proj-0123456789abcdef": "***",
    "AKIAIOSFODNN7EXAMPLE": "***",
    "redis://user:geheim@localhost": "redis://***@localhost",
    "https://hooks.slack.com/commands/T1/2/3": "https://hooks.slack.com/***",
    "https://user:p@ss/word@localhost/x": "https://***@localhost/x",
    "https://0123456789abcdef@localhost": "https://***@localhost",
    "https://hooks.slack-gov.com/services/T1/2/3": "https://hooks.slack-gov.com/***",
    "Authorization: Bearer abcdefgh.ijk": "Authorization: Bearer ***",
    "Authorization: Basic dXNlcjpnZWhlaW0=": "Authorization: Basic ***",
    "authorization=dXNlcjpnZWhlaW0=": "authorization=***",
    "bearer:abcdefgh.ijk": "bearer:***",
    "xoxd-abc%2Bdef%2F": "***",
    "xwfp-1-abcdef": "***",
    "_xoxb-1-abcdef_": "_***",
    "SLACK_BOT_TOKEN_xoxb-1-abcdef": "SLACK_BOT_TOKEN_***",
    "令牌是xoxb-1-abcdef": "令牌是***",
    "ValueError('a\\nxoxb-1-abcdef')": "ValueError('a\\n***')",
    "-----BEGIN RSA PRIVATE KEY----- MIIEow== -----END RSA PRIVATE KEY-----": "***",
    "nvapi-0123456789abcdefABCD": "***",
    "AIzaSy0123456789abcdefABCD": "***",
    "sk_live_0123456789abcdef": "***",
    "npm_0123456789abcdefABCD": "***",
    "dckr_pat_0123456789abcdefABCD": "***",
    "abcdef.0123456789abcdef": "***",
    "DB_PASSWORD=geheim-geheim": "DB_PASSWORD=***",
    '{"token": "abcdefgh12345678"}': '{"token": "***"}',
    "password: hunter2hunter2": "password: ***",
    "sk-0123456789abcdef0123456789abcdef": "***",
    "redis://:geheim@localhost:6379": "redis://***@localhost:6379",
    "redis://u:p@ss@localhost": "redis://***@localhost",
    "aws_secret_access_key=wJalrXUtnFEMI/K7MDENG": "aws_secret_access_key=***",
}

HARMLESS = [
    "p99 doubled, back to 10 %",
    "vllm-llama3-8b-instruct-new",
    "risk-adjusted-something-very-long",
    "see https://grafana.example.com/d/abc?orgId=1",
    "the bearer of bad news",
    "eyJ",
    "key=value-of-something",
    "the token=old",
    "token: expired",
    "HF_HUB_ENABLE_HF_TRANSFER=1",
    "vllm-sk-llama3-8b-instruct-new",
    "sk-learn-inference-pool-v2",
    "team-rk-embedding-model-v2",
    "pypi-mirror-in-frankfurt",
    "npm_config_strict_ssl_certificate",
    "authorization: somebody must approve it",
    "oci://registry.corp:5000/models/llama@sha256:0123456789abcdef0123",
    "https://grafana.corp:3000/d/x?mail=alice@corp.com",
    "https://grafana.corp/d/x?mail=alice@corp.com",
    "mailto:alice@corp.com",
    "http://127.0.0.1:8000/x?from=me",
    "status.conditionsmissings",
    "a public -----BEGIN CERTIFICATE-----",
]


@pytest.mark.parametrize(("text", "shown"), SECRETS.items())
def test_a_secret_is_masked_and_the_words_around_it_stay(text: str, shown: str) -> None:
    assert masked(f"it says {text} and stops") == f"it says {shown} and stops"
    assert has_secret(text)


@pytest.mark.parametrize("text", HARMLESS)
def test_other_words_stay(text: str) -> None:
    assert (masked(text), has_secret(text)) == (text, False)


@pytest.mark.parametrize(
    "line",
    [
        "rollback xoxb-123-456-abc",
        "rollback pool=xoxb-123-456-abc",
        "rollback reason=xoxb-123-456-abc",
        'pause "xoxb-123-456-abc"',
        "pause vllm-new xoxb-123-456-abc",
        "reject xoxb-123-456-abc",
        "start vllm-new 10 reason=xoxb-123-456-abc",
    ],
)
def test_a_token_in_a_command_is_in_no_part_of_it_that_others_see(line: str) -> None:
    command = parse(line)
    assert "xoxb" not in f"{command.subject} {command.reason}"
    assert command.reason in ("***", "pool=***")


@pytest.mark.parametrize(
    "hidden",
    ["\u00ad", "\u034f", "\u061c", "\u180e", "\u200b", "\u200c", "\u200d", "\u2060", "\u2062", "\ufe0f", "\U000e0061"],
)
def test_a_token_with_something_invisible_in_it_is_masked_in_commands_reasons_and_messages(hidden: str) -> None:
    token = f"xo{hidden}xb-123-{hidden}abcDEF"
    assert parse(f"pause vllm-new it says {token}").reason == "it says ***"
    assert cut_reason(f"it says {token}") == ("it says ***", 0)
    assert redacted(f"it says {token}") == "it says …"


@pytest.mark.parametrize("blank", ["\u3164", "\u2800", "\u115f", "\u034f", "\u00ad", "\u200c", " \n\u3000"])
def test_a_reason_that_nobody_sees_is_none(blank: str) -> None:
    assert cut_reason(blank) == ("", 0)
    assert parse(f"end vllm-new {blank}").reason == ""


TOKENS = ["xoxb-123-456-abcdefghijkl", "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJwbGFudGVkIn0", "ghp_0123456789abcdefABCD"]
ROUND_IT = st.text("_ *`'\"()令,.:=\n", max_size=5)


@given(
    st.sampled_from(TOKENS),
    ROUND_IT,
    ROUND_IT,
    st.lists(st.tuples(st.integers(0, 40), st.sampled_from("\u00ad\u200b\u200d\u2060\u034f\ufe0f\u3164")), max_size=4),
)
def test_whatever_stands_round_a_token_or_hides_in_it_others_see_none_of_it(
    token: str, before: str, after: str, hidden: list[tuple[int, str]]
) -> None:
    typed = token
    for place, character in hidden:
        typed = typed[:place] + character + typed[place:]
    for shown in (cut_reason(f"p99 {before}{typed}{after}")[0], redacted(f"p99 {before}{typed}{after}")):
        assert shown.startswith("p99")
        assert [part for part in re.split(r"[._-]", token) if len(part) > 4 and part in shown] == []
