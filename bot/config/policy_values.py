"""The types of values in the policy file, for pydantic: each validator has its own sentence.

They read what people wrote, not what YAML makes of it. A section of the file is a model on ``Section``.
"""

import re
from datetime import timedelta
from enum import StrEnum
from itertools import pairwise
from typing import Annotated, Any, ClassVar, Final

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, model_validator

from bot.config.yaml_lines import Scalar, what
from bot.domain.errors import UsageError
from bot.domain.plan import parse_duration

_NUMBER: Final = re.compile(r"[1-9][0-9]{0,8}")
_DECIMAL: Final = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


class Section(BaseModel):
    """A mapping with known keys; an empty one may be left blank."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    needs_prometheus: ClassVar[bool] = False
    """Whether it is of no use unless the file says where Prometheus is."""

    needs_prompts: ClassVar[bool] = False
    """Whether it is of no use unless the file has prompts for a comparison."""

    @classmethod
    def known(cls) -> str:
        """Name the keys, for a sentence."""
        return ", ".join(f"`{field.alias or name}`" for name, field in cls.model_fields.items())

    @model_validator(mode="before")
    @classmethod
    def _is_mapping(cls, value: object) -> object:
        if value is None or isinstance(value, (dict, cls)):
            return value or {}
        raise ValueError(f"must be a mapping with {cls.known()}, not {what(value)}")


def text(shape: str, wrong: str) -> BeforeValidator:
    """Take a text of one shape; keys of a mapping come as plain text."""

    def read(value: object) -> str:
        written = value.text if isinstance(value, Scalar) else value
        if not isinstance(written, str) or not re.fullmatch(shape, written):
            raise ValueError(f"{what(Scalar(written, '') if isinstance(written, str) else value)} {wrong}")
        return written

    return BeforeValidator(read)


def whole_number(most: int) -> BeforeValidator:
    """Take a whole number from 1 to ``most``."""

    def read(value: object) -> int:
        is_number = isinstance(value, Scalar) and value.kind == "int" and _NUMBER.fullmatch(value.text)
        if not isinstance(value, Scalar) or not is_number or int(value.text) > most:
            raise ValueError(f"{what(value)} is not a whole number from 1 to {most}")
        return int(value.text)

    return BeforeValidator(read)


def number() -> BeforeValidator:
    """Take a number of zero or more; what is read already stays as it is."""

    def read(value: object) -> float:
        if isinstance(value, (int, float)):
            return value
        if not isinstance(value, Scalar) or not _DECIMAL.fullmatch(value.text):
            raise ValueError(f"{what(value)} is not a number of zero or more")
        return float(value.text)

    return BeforeValidator(read)


def number_above_zero() -> BeforeValidator:
    """Take a number above zero; what is read already stays as it is."""

    def read(value: object) -> float:
        if isinstance(value, (int, float)):
            return value
        if not isinstance(value, Scalar) or not _DECIMAL.fullmatch(value.text) or not float(value.text):
            raise ValueError(f"{what(value)} is not a number above zero")
        return float(value.text)

    return BeforeValidator(read)


def percentage() -> BeforeValidator:
    """Take a percentage above zero; what is read already stays as it is."""

    def read(value: object) -> float:
        if isinstance(value, (int, float)):
            return value
        is_number = isinstance(value, Scalar) and _DECIMAL.fullmatch(value.text)
        if not isinstance(value, Scalar) or not is_number or not 0 < float(value.text) <= 100:
            raise ValueError(f"{what(value)} is not above 0 and at most 100")
        return float(value.text)

    return BeforeValidator(read)


def one_word_of(words: type[StrEnum]) -> BeforeValidator:
    """Take one of some words; a value that was already read stays as it is."""

    def read(value: object) -> object:
        written = value.text if isinstance(value, Scalar) else value
        if not isinstance(written, str) or written not in set(words):
            known = " or ".join(f"`{word}`" for word in words)
            raise ValueError(f"{what(value)} is not {known}")
        return words(written)

    return BeforeValidator(read)


def a_list(example: str) -> BeforeValidator:
    """Take a list."""

    def read(value: object) -> object:
        if not isinstance(value, list):
            raise ValueError(f"must be a list like `{example}`, not {what(value)}")
        return value

    return BeforeValidator(read)


def a_mapping(example: str) -> BeforeValidator:
    """Take a mapping with keys of its own."""

    def read(value: object) -> object:
        if value is not None and not isinstance(value, dict):
            raise ValueError(f"must be a mapping like `{example}`, not {what(value)}")
        return value or {}

    return BeforeValidator(read)


def _one_or_more(values: tuple[Any, ...]) -> tuple[Any, ...]:
    if not values:
        raise ValueError("is empty; name at least one, or leave the key out")
    return values


def _different(values: tuple[str, ...]) -> tuple[str, ...]:
    twice = next((value for at, value in enumerate(values) if value in values[:at]), None)
    if twice is not None:
        raise ValueError(f"`{twice}` is there twice; leave one of them out")
    return values


def at_most(count: int) -> AfterValidator:
    """Take no more than so many values."""

    def check(values: tuple[Any, ...]) -> tuple[Any, ...]:
        if len(values) > count:
            raise ValueError(f"has {len(values)} values; {count} is the most")
        return values

    return AfterValidator(check)


def _rising(values: tuple[int, ...]) -> tuple[int, ...]:
    for before, after in pairwise(values):
        if after <= before:
            raise ValueError(f"must rise, but {after} follows {before}")
    return values


def _flag(value: object) -> bool:
    if isinstance(value, bool):  # what is read already stays as it is
        return value
    if not isinstance(value, Scalar) or value.kind != "bool" or value.text.lower() not in ("true", "false"):
        raise ValueError(f"{what(value)} is neither `true` nor `false`")
    return value.text.lower() == "true"


def _duration(value: object) -> timedelta:
    try:
        return parse_duration(value.text if isinstance(value, Scalar) else "", "")
    except UsageError:
        rule = "is not a duration from 1s to 30d; write it like `90s`, `10m`, `2h` or `1d`"
        raise ValueError(f"{what(value)} {rule}") from None


one_or_more, different, rising = map(AfterValidator, (_one_or_more, _different, _rising))

Flag = Annotated[bool, BeforeValidator(_flag)]
Duration = Annotated[timedelta, BeforeValidator(_duration)]
Percent = Annotated[int, whole_number(100)]
