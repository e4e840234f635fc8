"""Every sentence in our code: a literal with as many values as it has places, and with marks in pairs."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Find each ``say(...)``, and where it is."""
    for room in ("bot", "handlers"):
        for file in sorted((ROOT / room).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say":
                    yield f"{file.relative_to(ROOT)}:{node.lineno}", node


def mistakes(call: ast.Call) -> list[str]:
    template = call.args[0]
    if not (isinstance(template, ast.Constant) and isinstance(template.value, str)):
        return ["not a literal"]
    text = template.value
    places = re.findall(r"\{(\w*)\}", text)
    named = {place for place in places if place}
    found = {
        "values": places.count("") != len(call.args) - 1,
        "names": named != {keyword.arg for keyword in call.keywords},
        "stars": text.count("*") % 2 == 1,
        "backticks": any(part.count("`") % 2 for part in text.split("*")),
    }
    return [name for name, is_wrong in found.items() if is_wrong]


def test_every_sentence_has_a_value_for_each_place_and_marks_in_pairs() -> None:
    found = list(calls())
    assert len(found) > 100
    assert [(where, wrong) for where, call in found if (wrong := mistakes(call))] == []


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ('say(f"{a}")', ["not a literal"]),
        ('say("{} {}", a)', ["values"]),
        ('say("{a}", b=b)', ["names"]),
        ('say("*a")', ["stars"]),
        ('say("*`a*`")', ["backticks"]),
        ('say("*{}* `{b}`", a, b=b)', []),
    ],
)
def test_a_mistake_would_be_seen(written: str, wrong: list[str]) -> None:
    statement = ast.parse(written).body[0]
    assert isinstance(statement, ast.Expr)
    assert isinstance(statement.value, ast.Call)
    assert mistakes(statement.value) == wrong
