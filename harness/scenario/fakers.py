"""The ``!faker`` tag: whether Faker has that provider, and makes a value with those arguments.

Faker is imported when the first tag is met, not before: importing it costs more than reading a scenario.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from harness.scenario.misfit import Misfit
from harness.scenario.problems import did_you_mean
from harness.scenario.values import FakerRef

TAG = "!faker"
_FORM = "!faker iban, or !faker {provider: pyint, args: [1, 5]}"


@functools.cache
def providers() -> Mapping[str, Callable[..., Any]]:
    """Every provider of Faker's default locale, by name."""
    import faker

    own = set(dir(faker.Generator))
    generator = faker.Faker().factories[0]
    generator.seed_instance(0)  # what is drawn to try a provider is the same each time, and disturbs no other stream
    methods = {
        name: getattr(generator, name)
        for name in dir(generator)
        if not name.startswith("_") and name not in own
    }
    return {name: method for name, method in methods.items() if callable(method)}


def faker_ref(value: Any) -> FakerRef:
    """What stands behind ``!faker``, checked. Raises `Misfit` with the path of the wrong part."""
    if isinstance(value, str):
        return _checked(value, (), ())
    if not isinstance(value, dict):
        raise Misfit("not a reference to Faker", expected=_FORM, found=value)
    for key in value:
        if key not in ("provider", "args"):
            raise Misfit(f"unknown key {key!r}", expected="provider, args", at=(key,), key=True)
    provider, args = value.get("provider"), value.get("args", [])
    if not isinstance(provider, str):
        raise Misfit("no provider is named", expected=_FORM, found=provider)
    if not isinstance(args, list):
        raise Misfit("the arguments are no list", expected=_FORM, found=args, at=("args",))
    return _checked(provider, tuple(args), ("provider",))


def _checked(provider: str, args: tuple[Any, ...], at: tuple[str, ...]) -> FakerRef:
    known = providers()
    if provider not in known:
        raise Misfit(
            f"Faker has no provider {provider!r}", expected="a provider of Faker, such as iban, name or pyint",
            found=provider, hint=did_you_mean(provider, known), at=at,
        )  # fmt: skip
    try:
        inspect.signature(known[provider]).bind(*args)
    except TypeError as error:
        signature = inspect.signature(known[provider])
        names = ", ".join(signature.parameters) or "no arguments"
        raise Misfit(
            f"{provider}: {error}", expected=names, found=list(args), at=("args",) if at else ()
        ) from None
    _try(known[provider], provider, args, at)
    return FakerRef(provider, args)


def _try(draw: Callable[..., Any], provider: str, args: tuple[Any, ...], at: tuple[str, ...]) -> None:
    """Draw once: only that shows arguments of the wrong type or range, or a provider that needs another library."""
    try:
        draw(*args)
    except Exception as error:  # noqa: BLE001 - whatever a provider raises, its tag is what is wrong
        of = f" of {', '.join(map(repr, args))}" if args else ""
        said = f"Faker's {provider} makes no value{of}: {type(error).__name__}: {error}"
        takes = f"arguments that fit {provider}{inspect.signature(draw)}"
        raise Misfit(said, expected=takes, at=("args",) if at and args else at) from None
