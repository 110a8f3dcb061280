"""All rules over one bound step: every problem at once, sorted. Reads what the rules read."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from nemotron.checking import (
    alignment,
    artifact_rules,
    config_rules,
    input_rules,
    library_parts,
    memory_rules,
    model_rules,
    parallelism,
    profile_rules,
    safety,
    surroundings,
)
from nemotron.diagnostic import Diagnostic
from nemotron.planning.request import StepRequest

Rule = Callable[[StepRequest], Iterable[Diagnostic]]

RULES: tuple[Rule, ...] = (
    config_rules.missing_values,
    config_rules.unknown_keys,
    config_rules.parameter_limits,
    config_rules.names_are_known,
    config_rules.bound_ports,
    config_rules.inputs_are_weighed,
    input_rules.paths_exist,
    input_rules.records_are_usable,
    input_rules.checkpoints_parse,
    input_rules.parameter_paths_exist,
    artifact_rules.looks_like_the_type,
    artifact_rules.folders_are_folders,
    artifact_rules.megatron_checkpoints_are_iterations,
    artifact_rules.sharded_weights_are_whole,
    artifact_rules.shards_belong_together,
    alignment.types_fit,
    alignment.facts_agree,
    alignment.facts_are_there,
    parallelism.sizes_are_sizes,
    parallelism.layout_is_legal,
    parallelism.model_shape_is_known,
    parallelism.gpus_are_spread_evenly,
    parallelism.packs_fit_the_layout,
    model_rules.model_fits_on_the_gpus,
    memory_rules.memory_has_room,
    safety.inlined_secrets,
    safety.remote_code_is_pinned,
    safety.pickle_checkpoints,
    safety.outputs_over_inputs,
    profile_rules.library_is_served,
    profile_rules.python_is_there,
    profile_rules.room_is_enough,
    profile_rules.gpu_kind_is_known,
    profile_rules.secrets_are_set,
    profile_rules.no_secret_is_written,
    profile_rules.paths_are_visible,
    surroundings.program_is_there,
    surroundings.library_is_installed,
    library_parts.parts_are_there,
    surroundings.gpus_are_there,
)


def check_step(request: StepRequest) -> list[Diagnostic]:
    """Every problem of the request: those met while its config was read, then those of each rule."""
    found = list(request.config.problems)
    for rule in RULES:
        found.extend(rule(request))
    return sorted(_without_echoes(request, list(dict.fromkeys(found))), key=Diagnostic.sort_key)


def _without_echoes(request: StepRequest, found: list[Diagnostic]) -> list[Diagnostic]:
    """A key that only refers to another one (`${other}`) repeats its mistake: the other is told, once."""
    document = request.config.document
    told = {(problem.code, problem.where) for problem in found}
    echoes = {
        (code, document.place(path))
        for path, key in request.config.refers.items()
        for code, where in told
        if where is not None and where == document.place(key)
    }
    return [problem for problem in found if (problem.code, problem.where) not in echoes]
