"""What no process of the target may exceed at any time: descriptors, threads, memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Self

from pydantic import Field, model_validator

from harness.checks.base import Args, Case, Check, Section
from harness.checks.evidence import Finding, Problem, conclude, many, moment
from harness.history.records import Sample

MEGABYTE = 1e6
"""Bytes of one MB, the unit of the bound of `rss`."""


class Most(Args):
    """The most that one place (a process) may have at any time; at least one bound is given."""

    fds: int | None = Field(default=None, gt=0, description="open file descriptors")
    threads: int | None = Field(default=None, gt=0, description="threads")
    rss: int | None = Field(default=None, gt=0, description="resident memory in MB (1 MB is 1 000 000 bytes)")

    @model_validator(mode="after")
    def _some(self) -> Self:
        if not self.bounds:
            raise ValueError("give `fds`, `threads`, `rss` or several of them")
        return self

    @property
    def bounds(self) -> dict[str, float]:
        """The bounds that are given, by the name of the samples."""
        return {name: float(bound) for name, bound in self.model_dump(exclude_none=True).items()}


def judge(case: Case, args: Most) -> Finding:
    """Compare the highest sample of each name and place with its bound."""
    samples = [sample for sample in case.history.of(Sample) if sample.name in args.bounds]
    highest: dict[tuple[str, str], Sample] = {}
    for sample in samples:
        worst = highest.setdefault((sample.name, sample.place), sample)
        if sample.value > worst.value:
            highest[sample.name, sample.place] = sample
    problems = [p for key in sorted(highest) for p in _exceeded(highest[key], args.bounds[key[0]])]
    told = ", ".join(f"{name} <= {_amount(name, bound)}" for name, bound in args.bounds.items())
    missing = [name for name in args.bounds if not any(sample.name == name for sample in samples)]
    return conclude(
        problems,
        samples=len(samples),
        broken=f"{len(problems)} of {many(len(highest), 'series', 'series')} went above the bound ({told})",
        good=f"{many(len(highest), 'series', 'series')} stayed within bounds ({told})",
        nothing=f"none of {', '.join(args.bounds)} was sampled, so nothing was proven",
        doubts=[Problem(0, 0.0, f"{name} was never sampled") for name in missing] if samples else (),
    )


def _exceeded(worst: Sample, bound: float) -> Iterator[Problem]:
    value = worst.value / MEGABYTE if worst.name == "rss" else worst.value
    if value > bound:
        where = f" of {worst.place}" if worst.place else ""
        text = (
            f"{worst.name}{where} reached {_amount(worst.name, value)} at {moment(worst.at)}, "
            f"at most {_amount(worst.name, bound)} allowed"
        )
        about = (("name", worst.name), ("place", worst.place), ("value", worst.value))
        yield Problem(-value / bound, worst.at, text, about)


def _amount(name: str, value: float) -> str:
    return f"{value:.6g} MB" if name == "rss" else f"{value:.6g}"


CHECK = Check(
    name="bounded",
    about="no process of the target ever has more descriptors, threads or memory (rss, in MB) than allowed",
    judge=judge,
    args=Most,
    sections=frozenset({Section.ALWAYS, Section.FINALLY}),
)
