"""Strict reading of a YAML node tree: nodes know their lines, and mistakes are gathered instead of raised.

Scalars are read as they are written, so ``no`` is a name and ``1:30`` no number.
"""

import re
from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise

import yaml

from bot.domain.commands.tokens import shown
from bot.domain.errors import UsageError
from bot.domain.plan import parse_duration
from bot.domain.slips import likely_meant

_TAG = "tag:yaml.org,2002:"
_NUMBER = re.compile(r"[1-9][0-9]{0,2}")


class Nodes:
    """Reads values out of nodes; ``mistakes`` are (line, sentence) pairs."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.mistakes: list[tuple[int, str]] = []

    def wrong(self, node: yaml.Node, path: str, sentence: str) -> None:
        """Note a mistake at a node."""
        line, end = node.start_mark.line + 1, "" if sentence.endswith("?") else "."
        self.mistakes.append((line, f"{self.file}:{line}: {path + ': ' if path else ''}{sentence}{end}"))

    def section(self, node: yaml.Node | None, path: str, known: Sequence[str]) -> dict[str, yaml.Node]:
        """Read a mapping with known keys; a missing or empty one is empty."""
        if node is None or node.tag == _TAG + "null":
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, path, f"must be a mapping with {_list(known)}, not {_what(node)}")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if name not in known:
                self._unknown(key, path, name, known)
            elif name in found:
                self.wrong(key, f"{path}.{name}".lstrip("."), "is there twice; leave one of them out")
            else:
                found[name] = value
        return found

    def named(
        self, node: yaml.Node | None, path: str, shape: re.Pattern[str], wrong: str, example: str
    ) -> dict[str, yaml.Node]:
        """Read a mapping whose keys are names of one shape; a missing or empty one is empty."""
        if node is None or node.tag == _TAG + "null":
            return {}
        if not isinstance(node, yaml.MappingNode):
            self.wrong(node, path, f"must be a mapping like `{example}`, not {_what(node)}")
            return {}
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = key.value if isinstance(key, yaml.ScalarNode) else ""
            if not shape.fullmatch(name):
                self.wrong(key, path, f"{_what(key)} {wrong}")
            elif name in found:
                self.wrong(key, path, f"{shown(name)} is there twice; leave one of them out")
            else:
                found[name] = value
        return found

    def _unknown(self, key: yaml.Node, path: str, name: str, known: Sequence[str]) -> None:
        near = likely_meant(name, known)
        hint = f"did you mean `{near[0]}`?" if near else f"the keys here are {_list(known)}"
        self.wrong(key, path, f"{shown(name) if name else 'a list or mapping'} is not a key; {hint}")

    def items(self, node: yaml.Node, path: str, example: str) -> list[yaml.ScalarNode]:
        """Read a list of single values."""
        if not isinstance(node, yaml.SequenceNode):
            self.wrong(node, path, f"must be a list like `{example}`, not {_what(node)}")
            return []
        items = [item for item in node.value if isinstance(item, yaml.ScalarNode) and not _is_null(item)]
        for item in node.value:
            if item not in items:
                self.wrong(item, path, f"must hold single values like `{example}`, not {_what(item)}")
        return items

    def texts(self, node: yaml.Node, path: str, shape: re.Pattern[str], wrong: str, example: str) -> tuple[str, ...]:
        """Read a list of different texts of one shape."""
        found: list[str] = []
        for item in self.items(node, path, example):
            if not shape.fullmatch(item.value):
                self.wrong(item, path, f"{shown(item.value)} {wrong}")
            elif item.value in found:
                self.wrong(item, path, f"{shown(item.value)} is there twice; leave one of them out")
            found.append(item.value)
        return tuple(found)

    def text(self, node: yaml.Node, path: str, shape: re.Pattern[str], wrong: str) -> str:
        """Read one text of a shape."""
        if not isinstance(node, yaml.ScalarNode) or not shape.fullmatch(node.value):
            self.wrong(node, path, f"{_what(node)} {wrong}")
        return str(node.value)

    def percents(self, node: yaml.Node, path: str, example: str) -> tuple[int, ...]:
        """Read a rising list of whole numbers from 1 to 100."""
        found = [self.number(item, path, 100) for item in self.items(node, path, example)]
        for before, after in pairwise(found):
            if 0 < after <= before:
                self.wrong(node, path, f"must rise, but {after} follows {before}")
        return tuple(found)

    def number(self, node: yaml.Node, path: str, most: int) -> int:
        """Read a whole number from 1 to ``most``; 0 where it is something else."""
        if node.tag == _TAG + "int" and _NUMBER.fullmatch(node.value) and int(node.value) <= most:
            return int(node.value)
        self.wrong(node, path, f"{_what(node)} is not a whole number from 1 to {most}")
        return 0

    def flag(self, node: yaml.Node, path: str) -> bool:
        """Read true or false."""
        if node.tag != _TAG + "bool" or node.value.lower() not in ("true", "false"):
            self.wrong(node, path, f"{_what(node)} is neither `true` nor `false`")
        return str(node.value).lower() == "true"

    def duration(self, node: yaml.Node, path: str) -> timedelta:
        """Read ``90s``, ``10m``, ``2h`` or ``1d``."""
        try:
            return parse_duration(node.value if isinstance(node, yaml.ScalarNode) else "", path)
        except UsageError:
            rule = "is not a duration from 1s to 30d; write it like `90s`, `10m`, `2h` or `1d`"
            self.wrong(node, path, f"{_what(node)} {rule}")
            return timedelta()


def _is_null(node: yaml.Node) -> bool:
    return bool(node.tag == _TAG + "null")


def _what(node: yaml.Node) -> str:
    if _is_null(node):
        return "nothing"
    if isinstance(node, yaml.ScalarNode):
        return shown(node.value) if node.value else "an empty text"
    return "a list" if isinstance(node, yaml.SequenceNode) else "a mapping"


def _list(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)
