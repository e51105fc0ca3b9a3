"""What the parts of the model of a scenario have in common."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

NAME_PATTERN = r"^[a-z0-9][a-z0-9._\-]*$"

Name = Annotated[str, Field(pattern=NAME_PATTERN, max_length=120)]
"""Lower-case words joined by ``.``, ``-`` or ``_``; it becomes part of file names."""

Flag = Annotated[bool, Field(strict=True)]
"""``true`` or ``false``; not ``yes``, not 1."""

Whole = Annotated[int, Field(strict=True)]
"""A whole number; not ``true``, not ``"3"``."""


class Kind(StrEnum):
    """What a scenario is for."""

    LOAD = "load"
    REGRESSION = "regression"
    CYCLES = "cycles"
    CHAOS = "chaos"


class World(StrEnum):
    """Where a scenario runs: on real processes, or in deterministic simulation."""

    REAL = "real"
    SIM = "sim"


class Model(BaseModel):
    """Base of every part: unknown keys are refused, values cannot change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_enum_values=False)


class OpenModel(BaseModel):
    """Base of the parts whose further keys belong to a driver or a fault kind, which checks them: `options`."""

    model_config = ConfigDict(extra="allow", frozen=True)

    @property
    def options(self) -> dict[str, Any]:
        """The keys this model does not know itself."""
        return dict(self.__pydantic_extra__ or {})
