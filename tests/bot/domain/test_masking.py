"""Secrets in what people type and what programs say."""

import pytest

from bot.domain.commands.grammar import parse
from bot.domain.masking import has_secret, masked

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
    "Authorization: Bearer abcdefgh.ijk": "Authorization: Bearer ***",
}

HARMLESS = [
    "p99 doubled, back to 10 %",
    "vllm-llama3-8b-instruct-new",
    "risk-adjusted-something-very-long",
    "see https://grafana.example.com/d/abc?orgId=1",
    "the bearer of bad news",
    "eyJ",
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
