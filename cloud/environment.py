"""A strict reader of environment variables, on which every `Settings.from_env` builds.

All wrong variables are reported together, each with what it got and what is allowed:

    env = Environment(environ)
    settings = Settings(project=env.text("PROJECT"), port=env.integer("PORT", default=8080, minimum=1))
    env.check()

A variable set to nothing counts as not set. Without a default it is required.
"""

from __future__ import annotations

import base64
import binascii
import math
import re
from collections import ChainMap
from datetime import timedelta
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar, Final, TypeVar, cast

import msgspec

from events.errors import PermanentError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["MIN_SECRET_BYTES", "Environment", "SettingsError"]

MIN_SECRET_BYTES: Final = 32

_BOOLEANS: Final = MappingProxyType({"true": True, "1": True, "false": False, "0": False})
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_SHOWN_CHARACTERS: Final = 80

_T = TypeVar("_T")
_Ordered = TypeVar("_Ordered", int, float, Decimal)
_Choice = TypeVar("_Choice", bound=str)


class SettingsError(PermanentError, ValueError):
    """Variables that are missing or wrong. `variables` maps the name of each to what is wrong with it."""

    code: ClassVar[str] = "invalid_settings"

    def __init__(self, variables: Mapping[str, str]) -> None:
        super().__init__("; ".join(f"{name} {problem}" for name, problem in variables.items()), variables=variables)
        self.variables = variables


class _Refused(ValueError):  # noqa: N818  # it never leaves this module
    """Says what a variable may be."""


class Environment:
    """Values from `explicit`, else from `environ`. Not thread-safe: it is read once, at the start.

    A wrong variable yields an empty value of its kind, so that the reading goes on; `check` then raises.
    """

    def __init__(self, environ: Mapping[str, str], *, explicit: Mapping[str, str] | None = None) -> None:
        self._values = ChainMap(dict(explicit or {}), dict(environ))
        self._problems: dict[str, str] = {}

    def check(self) -> None:
        """Raises `SettingsError` if any variable read until now is missing or wrong."""
        if self._problems:
            raise SettingsError(dict(self._problems))

    def text(self, name: str, *, default: str | None = None, pattern: str | None = None, shown: bool = True) -> str:
        """Any text, or text that `pattern` matches as a whole. What was got is not shown unless it is `shown`."""

        def parse(text: str) -> str:
            if pattern is not None and re.fullmatch(pattern, text) is None:
                raise _Refused(f"text that matches {pattern}")
            return text

        return self._read(name, parse, default, "", shown=shown)

    def integer(
        self, name: str, *, default: int | None = None, minimum: int | None = None, maximum: int | None = None
    ) -> int:
        def parse(text: str) -> int:
            if re.fullmatch(r"[+-]?[0-9]+", text) is None:
                raise _Refused(f"a whole number{_span(minimum, maximum)}")
            return _within(int(text), minimum, maximum)

        return self._read(name, parse, default, 0)

    def number(
        self, name: str, *, default: float | None = None, minimum: float | None = None, maximum: float | None = None
    ) -> float:
        """A finite number."""

        def parse(text: str) -> float:
            return _within(_finite(text), minimum, maximum)

        return self._read(name, parse, default, 0.0)

    def decimal(
        self,
        name: str,
        *,
        default: Decimal | None = None,
        minimum: Decimal | None = None,
        maximum: Decimal | None = None,
    ) -> Decimal:
        """A finite decimal number, exactly as it is written: money."""

        def parse(text: str) -> Decimal:
            if _NUMBER.fullmatch(text) is None:
                raise _Refused(f"a decimal number{_span(minimum, maximum)}")
            return _within(Decimal(text), minimum, maximum)

        return self._read(name, parse, default, Decimal(0))

    def seconds(
        self,
        name: str,
        *,
        default: timedelta | None = None,
        minimum: timedelta = timedelta(0),
        maximum: timedelta | None = None,
    ) -> timedelta:
        """A number of seconds."""
        most = None if maximum is None else maximum.total_seconds()

        def parse(text: str) -> timedelta:
            try:
                return timedelta(seconds=_within(_finite(text), minimum.total_seconds(), most))
            except (_Refused, OverflowError):
                raise _Refused(f"a number of seconds{_span(minimum.total_seconds(), most)}") from None

        return self._read(name, parse, default, timedelta(0))

    def boolean(self, name: str, *, default: bool | None = None) -> bool:
        def parse(text: str) -> bool:
            if text not in _BOOLEANS:
                raise _Refused("true, false, 1 or 0")
            return _BOOLEANS[text]

        return self._read(name, parse, default, False)

    def choice(self, name: str, choices: Iterable[_Choice], *, default: _Choice | None = None) -> _Choice:
        allowed = tuple(choices)

        def parse(text: str) -> _Choice:
            for choice in allowed:
                if text == choice:
                    return choice
            raise _Refused(f"one of {', '.join(allowed)}")

        return self._read(name, parse, default, allowed[0])

    def csv(self, name: str, *, default: tuple[str, ...] | None = None) -> tuple[str, ...]:
        """Texts between commas, without the spaces around them."""

        def parse(text: str) -> tuple[str, ...]:
            parts = tuple(part.strip() for part in text.split(","))
            if not all(parts):
                raise _Refused("texts between commas, none of them empty")
            return parts

        return self._read(name, parse, default, ())

    def json(self, name: str, type: type[_T], *, default: _T | None = None) -> _T:  # noqa: A002  # msgspec's word
        """JSON of a type that msgspec knows. What was got is not shown: it may hold keys."""

        def parse(text: str) -> _T:
            try:
                return msgspec.json.decode(text, type=type)
            except (msgspec.MsgspecError, ValueError) as error:
                raise _Refused(f"JSON as expected ({error})") from None

        return self._read(name, parse, default, cast("_T", None), shown=False)

    def secret_bytes(self, name: str, *, minimum: int = MIN_SECRET_BYTES) -> bytes:
        """Base64 of at least `minimum` bytes. What was got is not shown."""
        allowed = f"base64 of at least {minimum} bytes, such as `openssl rand -base64 {minimum}` prints"

        def parse(text: str) -> bytes:
            try:
                value = base64.b64decode(text, validate=True)
            except (binascii.Error, ValueError):
                raise _Refused(allowed) from None
            if len(value) < minimum:
                raise _Refused(allowed)
            return value

        return self._read(name, parse, None, b"", shown=False)

    def _read(self, name: str, parse: Callable[[str], _T], default: _T | None, empty: _T, *, shown: bool = True) -> _T:
        text = self._values.get(name, "").strip()
        if not text:
            if default is None:
                self._problems[name] = "is not set"
                return empty
            return default
        try:
            return parse(text)
        except _Refused as allowed:
            got = f"is {text[:_SHOWN_CHARACTERS]!r}" if shown else "is wrong"
            self._problems[name] = f"{got}, must be {allowed}"
            return empty


def _finite(text: str) -> float:
    if _NUMBER.fullmatch(text) is None or not math.isfinite(float(text)):
        raise _Refused("a finite number")
    return float(text)


def _within(value: _Ordered, minimum: _Ordered | None, maximum: _Ordered | None) -> _Ordered:
    if (minimum is not None and value < minimum) or (maximum is not None and value > maximum):
        raise _Refused(f"a number{_span(minimum, maximum)}")
    return value


def _span(minimum: object | None, maximum: object | None) -> str:
    if minimum is not None and maximum is not None:
        return f" from {minimum} to {maximum}"
    if minimum is not None:
        return f" of at least {minimum}"
    return "" if maximum is None else f" of at most {maximum}"
