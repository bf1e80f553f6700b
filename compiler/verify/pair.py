"""A plan and the model that it was made of: whether they belong together, and the schedule that the plan is of."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyopencl as cl

from planish.runtime.plan import Launch as Launched
from planish.runtime.plan import Plan
from planish.runtime.plan import Step as Planned

from .. import frontend, passes, targets
from ..errors import OptionError
from ..frontend.inputs import InputOptions
from ..ir import Graph
from ..kernel import Site
from ..lower import HostStep, Launch, Schedule, lower
from ..megakernel import chained
from ..targets import Target


@dataclass(frozen=True)
class Pair:
    """A model and a plan of it.

    Attributes:
        data: the file; given: its inputs that are constants in the plan; graph: as imported.
    """

    path: Path
    data: bytes
    plan: Plan
    given: Mapping[str, np.ndarray]
    graph: Graph

    @property
    def precision(self) -> str:
        return str(self.plan.provenance["precision"])

    def feed(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Inputs, and the values that were given in place of some."""
        return {**inputs, **self.given}

    def target(self, device: cl.Device | None = None) -> Target:
        """What the plan was compiled for; the numbers by which candidates are ranked are those of a device.

        Raises:
            OptionError: there is no such target.
        """
        provenance = self.plan.provenance
        present = targets.of_present(device) if device else None
        target = present if present and present.name == provenance["target"] else targets.named(str(provenance["target"]))
        return replace(target, lanes=int(provenance["lanes"]), winograd=bool(provenance.get("winograd", True)),
                       megakernel=any(kernel.stages for kernel in self.plan.kernels))  # fmt: skip

    def laid_out(self) -> Graph:
        """The graph as the plan computes it."""
        return passes.run(self.graph, self.target())

    def schedule(self, graph: Graph) -> Schedule:
        """The launches of the plan, before any were chained."""
        return lower(graph, self.target(), self.precision, self.plan.provenance.get("keep_f32", ()))


def pair(path: Path, folder: Path, plan: Plan, given: Mapping[str, np.ndarray]) -> Pair:
    """Brings a plan and its model together.

    Args:
        given: inputs that were made constants when the plan was compiled.

    Raises:
        CompileError: the file is no model, or not the plan's.
    """
    data = frontend.read(path)
    made, found = plan.provenance.get("source_sha256"), hashlib.sha256(data).hexdigest()
    if not {"source_sha256", "target", "lanes", "precision"} <= plan.provenance.keys():
        raise OptionError(f"{folder} does not tell of which model it was made; a plan of planish compile would be accepted")
    if made != found:
        raise OptionError(f"{folder} is not a plan of {path}: it was made of {plan.provenance.get('source')}, SHA-256 {str(made)[:12]}…, "
                          f"and this file has {found[:12]}…; give that file, or compile this one")
    shapes = {t.name: t.shape for t in plan.inputs}
    graph = frontend.parse(data, path, InputOptions(shapes, given))
    missing = [name for name in graph.external_inputs if name not in shapes]
    if missing:
        raise OptionError(f"{folder} has no input '{missing[0]}': it was compiled with --input-value {missing[0]}=…; give that here, too")
    return Pair(path, data, plan, given, graph)


@dataclass(frozen=True)
class Match:
    """One of a plan's launches, or steps on the host, and the sites that it computes."""

    step: Planned
    sites: tuple[Site, ...]

    @property
    def variant(self) -> str:
        return self.step.variant if isinstance(self.step, Launched) else f"host {self.step.what}"


def matched(plan: Plan, schedule: Schedule) -> list[Match]:
    """Each of the plan's launches with what it computes.

    Raises:
        OptionError: another version made the plan, or there are loops.
    """
    steps, found = list(schedule.launches), []
    for loop in plan.loops:
        raise OptionError(f"what each launch leaves cannot be told of a plan with a {loop.what} that the host drives, "
                          f"{', '.join(loop.nodes)}; without --layers and --keep-f32 it would be accepted")
    for number, step in enumerate(plan.launches):
        count = len(chained(step.variant)) if isinstance(step, Launched) else 1
        these, steps = steps[:count], steps[count:]
        sites = tuple(each.site for each in these if isinstance(each, Launch | HostStep))
        nodes = tuple(dict.fromkeys(source for site in sites for source in site.node.sources))
        alike = all(isinstance(each, Launch) == isinstance(step, Launched) for each in these)
        if len(sites) < count or nodes != step.nodes or not alike:
            raise OptionError(_apart(plan, f"its launch {number} is for {', '.join(step.nodes) or 'a copy'}, and now "
                                     f"{', '.join(nodes) or 'a copy' if sites else 'nothing'} would come here"))
        found.append(Match(step, sites))
    if steps:
        raise OptionError(_apart(plan, f"it has {len(plan.launches)} launches, and now more would be made"))
    return found


def _apart(plan: Plan, why: str) -> str:
    return f"the plan is not as it would be compiled today ({plan.provenance['compiler']} made it): {why}; compile the model again"
