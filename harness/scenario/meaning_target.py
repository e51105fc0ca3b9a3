"""Whether the target of a scenario exists, runs in its worlds, and knows the options it is given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from pydantic import BaseModel

from harness.scenario.fields import aliases
from harness.scenario.misfit import Misfit
from harness.scenario.parts import World
from harness.scenario.places import is_count
from harness.scenario.problems import did_you_mean, one_of
from harness.scenario.shape import unknown_key, validate
from harness.scenario.target_parts import GovernorSpec, HandlerGroup, TargetSpec
from harness.scenario.view import View
from harness.scenario.vocabulary import NOT_BESIDE, ONLY_IN, DriverWords, Vocabulary


class NoOptions(BaseModel):
    """Stands for the options of a part that has none."""

    model_config = {"extra": "forbid"}


def driver_words(scenario: View, vocabulary: Vocabulary) -> DriverWords | None:
    """The words of the scenario's driver, if it names one that exists."""
    return vocabulary.drivers.get(scenario.get("target", "driver").text or "")


def handler_names(scenario: View) -> list[str] | None:
    """The names of all handlers that the topology makes; None where a mistake there hides them."""
    names: list[str] = []
    for group in scenario.get("topology", "handlers").one_or_many():
        made = group_names(group)
        if made is None:
            return None
        names += made
    return names


def group_names(group: View) -> tuple[str, ...] | None:
    """The names of the handlers of one group; None where a mistake there hides them."""
    data = {key: group.mapping[key] for key in ("name", "count") if key in group.mapping}
    made, _ = validate(HandlerGroup, data)
    return None if made is None else made.names()


def misfits(scenario: View, vocabulary: Vocabulary) -> Iterator[Misfit]:
    """Everything wrong with ``target`` and ``topology``."""
    driver = scenario.get("target", "driver")
    words = driver_words(scenario, vocabulary)
    if words is None:
        if driver.text is not None:
            yield unknown("driver", driver, vocabulary.drivers)
        return
    yield from world_misfits(scenario, words.worlds, f"the driver {driver.text!r}", driver)
    yield from option_misfits(words.options, scenario.get("target"), TargetSpec)
    yield from option_misfits(
        words.governor_options or NoOptions, scenario.get("target", "governor"), GovernorSpec
    )
    scheduler = scenario.get("topology", "scheduler")
    if isinstance(scheduler.data, dict) or scheduler.data is None:
        yield from option_misfits(words.scheduler_options, scheduler)
        yield from value_misfits(scenario, words.scheduler_options, scheduler)
        yield from idle_misfits(scenario.get("target"), words.scheduler_options, scheduler)
    for group in scenario.get("topology", "handlers").one_or_many():
        yield from option_misfits(words.handler_options or NoOptions, group, HandlerGroup)
        yield from _taken_names(group, words, driver.text or "")
        mock = group.get("mock")
        if mock.text is not None and vocabulary.mocks and mock.text not in vocabulary.mocks:
            yield unknown("mock behaviour", mock, vocabulary.mocks)


def _taken_names(group: View, words: DriverWords, driver: str) -> Iterator[Misfit]:
    """A handler that is called like a part of the target, whose places and kills would be taken for its own, or like a
    count, which as ``where`` would select others.
    """
    pattern = group.get("name")
    for name in group_names(group) or ():
        if name in words.places or name in words.reserved:
            why = f"is what the driver {driver!r} calls a part of its own"
        elif is_count(name):
            why = "is a count where places are selected"
        else:
            continue
        said = f"no handler can be called {name!r}: that {why}"
        yield Misfit(said, expected="another name", found=pattern.data, at=pattern.path)
        return


def unknown(what: str, view: View, known: Iterable[str]) -> Misfit:
    """``unknown fault kind 'process.kil'``, with what there is."""
    words = list(known)
    return Misfit(
        f"unknown {what} {view.data!r}", expected=one_of(words), found=view.data,
        hint=did_you_mean(view.data, words), at=view.path,
    )  # fmt: skip


def world_misfits(scenario: View, able: Sequence[World], who: str, fallback: View) -> Iterator[Misfit]:
    """For each world of the scenario that `who` cannot run in; at `fallback` when the file names no worlds."""
    named = [world for world in scenario.get("worlds").items() if world.text in {w.value for w in World}]
    for world in named or [View(World.REAL.value, fallback.path)]:
        if world.text not in able:
            yield Misfit(
                f"{who} does not run in the world `{world.text}`", expected=one_of(w.value for w in able),
                found=world.text, at=world.path,
            )  # fmt: skip


def value_misfits(scenario: View, model: type[BaseModel], part: View) -> Iterator[Misfit]:
    """For each option of `model` whose value cannot be had in a world of the scenario (see `ONLY_IN`)."""
    for name, field in model.model_fields.items():
        extra = field.json_schema_extra
        bound = extra.get(ONLY_IN) if isinstance(extra, dict) else None
        given = part.get(field.alias or name)
        able = bound.get(given.text) if isinstance(bound, dict) and given.text is not None else None
        if isinstance(able, list):
            worlds = [World(str(one)) for one in able]
            yield from world_misfits(scenario, worlds, f"`{given.path[-1]}: {given.text}`", given)


def idle_misfits(target: View, model: type[BaseModel], part: View) -> Iterator[Misfit]:
    """For each option of `model` that is given although a key of `target` decides it (see `NOT_BESIDE`)."""
    left: list[str] = []
    idle: list[tuple[str, str]] = []
    for name, field in model.model_fields.items():
        key, extra = field.alias or name, field.json_schema_extra
        bound = extra.get(NOT_BESIDE) if isinstance(extra, dict) else None
        deciding = [str(one) for one in bound if target.get(str(one)).data] if isinstance(bound, list) else []
        if not deciding:
            left.append(f"`{key}`")
        elif key in part.mapping:
            idle.append((key, deciding[0]))
    for key, decider in idle:
        said = f"`{key}` has no meaning beside `target.{decider}`, which decides it"
        yield Misfit(
            said, expected=f"at most {', '.join(left)}", hint="set it there, or leave it out",
            at=(*part.path, key), key=True,
        )  # fmt: skip


def option_misfits(
    model: type[BaseModel], part: View, own: type[BaseModel] | None = None, *, fakers: bool = False
) -> Iterator[Misfit]:
    """What keeps the keys of `part` from being options of `model`; the keys of `own` are checked elsewhere."""
    known = aliases(own) if own else []
    options = {key: value for key, value in part.mapping.items() if key not in known}
    for misfit in validate(model, options, fakers=fakers)[1]:
        if misfit.key and misfit.at and misfit.at[0] not in aliases(model):
            misfit = unknown_key(str(misfit.at[0]), [*known, *aliases(model)], ())
        yield misfit.below(part.path)
