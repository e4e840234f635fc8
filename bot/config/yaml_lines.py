"""A YAML file as plain values, scalars as they are written, and the line of each value and key."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from bot.config.mistakes import ConfigError, Place
from bot.domain.commands.tokens import shown

_TAG = "tag:yaml.org,2002:"


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value as it is written, so ``no`` may be a name and ``1:30`` is no number; ``kind`` is YAML's idea of it."""

    text: str
    kind: str


@dataclass(slots=True)
class Lines:
    """Where things are in a file: the lines of values and keys, and keys that are given twice."""

    values: dict[Place, int] = field(default_factory=dict)
    keys: dict[Place, int] = field(default_factory=dict)
    twice: list[tuple[Place, int]] = field(default_factory=list)


def read_yaml(path: Path) -> tuple[object, Lines]:
    """Read a file: mappings, lists, ``Scalar`` and None. Raises ConfigError if it is not YAML."""
    lines = Lines()
    return _plain(_compose(path), (), lines), lines


def what(value: object) -> str:
    """Say what the file has there, for a sentence."""
    match value:
        case None:
            return "nothing"
        case Scalar(text=text):
            return shown(text) if text else "an empty text"
        case list():
            return "a list"
        case _:
            return "a mapping"


def _compose(path: Path) -> yaml.Node | None:
    try:
        root: yaml.Node | None = yaml.compose(path.read_text(encoding="utf-8"), Loader=yaml.SafeLoader)
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read ({error.strerror}); name a file that can be read."]) from error
    except UnicodeDecodeError as error:
        raise ConfigError([f"{path}: is not written in UTF-8; save it as UTF-8."]) from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise ConfigError([f"{path}:{mark.line + 1 if mark else 1}: is not YAML: {error.problem}."]) from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(
            [f"{path}: is not YAML; it holds a character or a depth that YAML does not allow."]
        ) from error
    return root


def _plain(node: yaml.Node | None, place: Place, lines: Lines) -> object:
    lines.values[place] = node.start_mark.line + 1 if node else 1
    match node:
        case yaml.MappingNode():
            return dict(_entries(node, place, lines))
        case yaml.SequenceNode():
            return [_plain(item, (*place, at), lines) for at, item in enumerate(node.value)]
        case yaml.ScalarNode() if node.tag != f"{_TAG}null":
            return Scalar(node.value, node.tag.removeprefix(_TAG))
        case _:
            return None


def _entries(node: yaml.MappingNode, place: Place, lines: Lines) -> Iterator[tuple[str, object]]:
    for key, value in node.value:
        start, end = key.start_mark, key.end_mark
        name = key.value if isinstance(key, yaml.ScalarNode) else start.buffer[start.pointer : end.pointer]
        at, line = (*place, name), start.line + 1
        if at in lines.keys:
            lines.twice.append((at, line))
        else:
            lines.keys[at] = line
            yield name, _plain(value, at, lines)
