"""The schema of `step.toml`. Pure data: pydantic models that forbid unknown keys; touches no file."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

Scalar = str | int | float | bool


class Table(BaseModel):
    """A table of a manifest: read-only, and an unknown key is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)


class FactRule(Table):
    """How a port states one fact. Exactly one form, except that `unless` may stand beside `from`.

    `keys` are config keys that must agree; `value` is a constant; `from` (PORT.FACT) is carried through;
    `measured` is reported by the job; `same_as` (PORT.FACT) must be equal; `at_least`, `at_most` and
    `multiple_of` compare the artifact's fact with a config key. `unless` names a config key that gives the
    fact when it is set; otherwise, on an input, the artifact must carry the fact.
    """

    keys: tuple[str, ...] = ()
    value: Scalar | None = None
    from_: str | None = Field(default=None, alias="from")
    measured: bool = False
    same_as: str | None = None
    at_least: str | None = None
    at_most: str | None = None
    multiple_of: str | None = None
    unless: str | None = None

    @model_validator(mode="after")
    def _one_form(self) -> Self:
        given = {name for name, value in self if value is not None and value != () and name != "measured"}
        given |= {"measured"} if self.measured else set()
        if len(given) != 1 and given != {"from_", "unless"}:
            raise ValueError(
                "a fact is one of: a config key, a list of them, or a table with one of value, "
                "from, measured, same_as, at_least, at_most, multiple_of, unless"
            )
        return self


def _fact_rule(value: Any) -> Any:
    if isinstance(value, str):
        return {"keys": (value,)}
    if isinstance(value, list):
        return {"keys": tuple(value)}
    return value


_WRITTEN = str | list[str] | FactRule
Facts = dict[str, Annotated[FactRule, BeforeValidator(_fact_rule, json_schema_input_type=_WRITTEN)]]


class Consumes(Table):
    """A port that takes an artifact: the path goes to the config key `at`.

    `many` takes a list, each entry a path or a table with `path` and `weight`. Of the ports of one `one_of`
    group exactly one is bound. `field_at` is the config key that names the field to read of each record.
    `cost` is what a plan pays for using this one rather than another of its group. One that is `apart` gets
    something at hand that no other input is made from: a judge is not the model that it judges.
    `newest_if` is the config key that, when it says `latest`, makes the folder of a run stand for its newest
    whole checkpoint.
    """

    type: str
    at: str
    name: str = ""
    required: bool = True
    many: bool = False
    one_of: str | None = None
    field_at: str | None = None
    newest_if: str | None = None
    cost: float = 0.0
    apart: bool = False
    facts: Facts = {}
    description: str = ""

    @model_validator(mode="before")
    @classmethod
    def _default_name(cls, data: Any) -> Any:
        return {**data, "name": data.get("name", data.get("type", ""))} if isinstance(data, dict) else data


class Produces(Table):
    """A port that makes an artifact below the output folder that the config key `at` names.

    One with `with_input` is made only where that input is bound, one with `with_key` only where that config
    key is set, one with `when` only where each of those config keys has one of those values. `shape_of` names
    the input whose sizes (layers, heads, widths) a model keeps.
    """

    type: str
    at: str
    name: str = ""
    subpath: str = ""
    optional: bool = False
    with_input: str | None = None
    with_key: str | None = None
    when: dict[str, tuple[Scalar, ...]] = {}
    shape_of: str | None = None
    facts: Facts = {}
    description: str = ""

    @model_validator(mode="before")
    @classmethod
    def _default_name(cls, data: Any) -> Any:
        return {**data, "name": data.get("name", data.get("type", ""))} if isinstance(data, dict) else data


class Parameter(Table):
    """One config key that people set: its type, default and limits. `less_than` names another key.

    `names` is a file in the step's folder with the names that the key takes, one a line; they are all, unless
    the config key `names_unless` is set, which brings more.
    """

    key: str
    type: Literal["string", "integer", "number", "boolean", "path", "list", "table"]
    description: str
    default: Any = None
    choices: tuple[Scalar, ...] = ()
    minimum: float | None = None
    maximum: float | None = None
    less_than: str | None = None
    names: str | None = None
    names_unless: str | None = None
    required: bool = False


class Parallelism(Table):
    """Which config keys hold the parallel layout of a trainer, so that one rule set checks every trainer.

    `model` names the model whose shape the layout must fit: a name on a hub or a local folder. `packed` is
    set where the data are packs. `fine_tuning` is a constant: the loss is of a part of the tokens.
    """

    rules: Literal["megatron_core", "fsdp2"]
    fine_tuning: bool = False
    model: str | None = None
    data: str | None = None
    data_replicate: str | None = None
    tensor: str | None = None
    pipeline: str | None = None
    context: str | None = None
    expert: str | None = None
    expert_tensor: str | None = None
    virtual_pipeline: str | None = None
    pipeline_micro_batch: str | None = None
    first_stage_layers: str | None = None
    last_stage_layers: str | None = None
    pipeline_layout: str | None = None
    sequence_parallel: str | None = None
    per_token_loss: str | None = None
    average_in_collective: str | None = None
    packed: str | None = None
    micro_batch: str | None = None
    global_batch: str | None = None
    seq_length: str | None = None


class Memory(Table):
    """What a training keeps on the GPUs for each parameter of the model, in bytes, without activations.

    `held` is kept on each GPU of what the layout puts there, `sharded` is spread over all of them. Of several
    the first counts whose `when` holds: each of these config keys has one of these values.
    """

    when: dict[str, tuple[Scalar, ...]] = {}
    held: float = Field(default=0.0, ge=0)
    sharded: float = Field(default=0.0, ge=0)


class Model(Table):
    """A model that the step is known to work with, and the fewest GPUs that it fits on.

    The list is open: the step's library may know other models.
    """

    name: str
    aliases: tuple[str, ...] = ()
    minimum_gpus: int = 1
    default: bool = False
    shape: str | None = None
    description: str = ""


class Condition(Table):
    """When a preference applies: every given field must match; a value is a literal, `"<=4"` or `">8"`."""

    gpus: int | str | None = None
    nodes: int | str | None = None
    gpu_memory_gib: float | str | None = None
    model_parameters: float | str | None = None
    want: str | None = None
    library: str | None = None


class Prefer(Table):
    """A cost that the planner adds when the condition holds, and why."""

    if_: Condition = Field(alias="if")
    cost: float
    why: str
    pattern: str | None = None


class Strategy(Table):
    """Advice for people and agents: in this situation, do that."""

    when: str
    then: str
    pattern: str | None = None
    context: str | None = None


class KnownError(Table):
    """A failure that is recognised in the job's log by a regular expression, and how to recover."""

    id: str
    match: str
    recovery: str


class StepTable(Table):
    """The `[step]` table: what the step is, and how its process is started.

    `follows` are categories whose steps come before this one in a plan that has both: tuning comes after
    pretraining. A step that is `only_named` is taken by a plan only where the person asks for it: names it,
    sets a key of it, or wants what nothing else makes. `pick_when` and `not_when` are sentences for whoever
    chooses among steps.
    """

    id: str
    version: int = Field(ge=1)
    name: str
    summary: str
    description: str
    pick_when: tuple[str, ...] = ()
    not_when: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    follows: tuple[str, ...] = ()
    only_named: bool = False
    library: str | None = None
    launch: Literal["python", "torchrun", "ray"] = "python"
    gpus: int = Field(default=0, ge=0)
    resumable: bool = False


class OtherLibrary(Table):
    """A library that takes the place of `[step].library` where each config key of `when` has such a value."""

    name: str
    when: dict[str, tuple[Scalar, ...]]


class Upstream(Table):
    """The library's own program that does what the step does: what a prepared host runs where we have none.

    In `argv`, `{config}` is the resolved config's file, `{gpus}`, `{nodes}` and `{gpus_per_node}` are counts,
    and `{KEY}` is the value of a config key. The entries of the table `flags` follow as `--name value`, in
    the style that `flag_style` names; null ones are left out, and a true boolean is a flag without a value.
    """

    argv: tuple[str, ...]
    flags: str | None = None
    flag_style: Literal["hyphen", "underscore"] = "underscore"


class Reference(Table):
    """Upstream documentation."""

    documentation: tuple[str, ...] = ()


class Manifest(Table):
    """A whole `step.toml`.

    `credentials` are names of environment variables that a job may need, and when it does.
    """

    step: StepTable
    libraries: tuple[OtherLibrary, ...] = ()
    key_ignores: tuple[str, ...] = ()
    consumes: tuple[Consumes, ...] = ()
    produces: tuple[Produces, ...] = ()
    parameters: tuple[Parameter, ...] = ()
    parallelism: Parallelism | None = None
    memory: tuple[Memory, ...] = ()
    models: tuple[Model, ...] = ()
    prefer: tuple[Prefer, ...] = ()
    strategies: tuple[Strategy, ...] = ()
    errors: tuple[KnownError, ...] = ()
    upstream: Upstream | None = None
    credentials: dict[str, str] = {}
    reference: Reference = Reference()

    @property
    def takes_all_gpus(self) -> bool:
        """Whether the step takes every GPU there is: what is made for several does, and every trainer.

        A conversion has a parallel layout too, but no batches that more GPUs would share.
        """
        trains = self.parallelism is not None and self.parallelism.micro_batch is not None
        return self.step.gpus > 1 or trains

    def library_with(self, value_of: Callable[[str], Any]) -> str | None:
        """The library that a job runs under; `value_of` gives the value of a key of its config."""
        other = next((other for other in self.libraries if _holds(other.when, value_of)), None)
        return other.name if other is not None else self.step.library

    def memory_with(self, value_of: Callable[[str], Any]) -> Memory | None:
        """What a training keeps on the GPUs; `value_of` gives the value of a key of its config."""
        return next((memory for memory in self.memory if _holds(memory.when, value_of)), None)

    @model_validator(mode="after")
    def _ports_are_unique(self) -> Self:
        for kind, ports in (("consumes", self.consumes), ("produces", self.produces)):
            names = [port.name for port in ports]
            if repeated := {name for name in names if names.count(name) > 1}:
                raise ValueError(f"[[{kind}]] names a port twice: {', '.join(sorted(repeated))}")
        return self


def _holds(when: dict[str, tuple[Scalar, ...]], value_of: Callable[[str], Any]) -> bool:
    return all(value_of(key) in values for key, values in when.items())
