"""What an editor is told of the other files that people write: manifests, types, profiles, pipelines.

JSON Schemas from the pydantic models that read these files, and from the form of a pipeline file. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue
from pydantic_core import core_schema

from nemotron.catalog.catalog import Catalog
from nemotron.catalog.manifest import Manifest
from nemotron.catalog.types import TypesFile
from nemotron.checking.editor_schema import DRAFT, Schema
from nemotron.config.tree import MISSING
from nemotron.planning import pipeline_form
from nemotron.profiles.profile import GAPS, LOCAL, SLURM, Settings


class _Plain(GenerateJsonSchema):
    """Without titles that repeat the keys' names, and without null, which TOML does not have."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        written = super().default_schema(schema)
        return {
            key: value for key, value in written.items() if key != "default" or value not in (None, [], {})
        }

    def generate(
        self, schema: core_schema.CoreSchema, mode: JsonSchemaMode = "validation"
    ) -> JsonSchemaValue:
        return {"$schema": DRAFT, **super().generate(schema, mode)}


def manifest_schema(catalog: Catalog) -> Schema:
    """`step.toml`."""
    return _of_model(Manifest)


def types_schema(catalog: Catalog) -> Schema:
    """`types.toml`."""
    return _of_model(TypesFile)


def profiles_schema(catalog: Catalog) -> Schema:
    """`env.toml`: a table for each profile."""
    profile = _of_model(Settings)
    definitions = profile.pop("$defs", {})
    del profile["$schema"], profile["title"]
    profile["properties"]["executor"] |= {"enum": [LOCAL, SLURM, *GAPS]}
    profile["description"] = (
        "A profile: where steps run, and with what. A key that is absent is not asked for."
    )
    about = {"title": "env.toml", "description": "Profiles by their names: what --run and --batch take."}
    return {
        "$schema": DRAFT,
        **about,
        "type": "object",
        "additionalProperties": profile,
        "$defs": definitions,
    }


def pipeline_schema(catalog: Catalog) -> Schema:
    """The pipeline file, with the types and the steps of the catalog in use."""
    types = {"enum": sorted(catalog.types.types)}
    step_ids = {"anyOf": [{"enum": list(catalog.folders)}, {"type": "string"}]}
    name = {"pattern": f"^{pipeline_form.NAME.pattern}$"}
    have = _table(pipeline_form.HAVE, {"type": types}, required=["type"])
    step = _table(pipeline_form.STEP, {"step": step_ids, **_STEP_KEYS}, required=["step"])
    top: Schema = {
        "version": {"const": 1},
        "want": {"anyOf": [types, {"type": "null"}]},
        "have": {"type": ["object", "null"], "propertyNames": name, "additionalProperties": have},
        "hardware": {**_table(pipeline_form.HARDWARE, _HARDWARE_KEYS), "type": ["object", "null"]},
        "steps": {"type": ["object", "null"], "propertyNames": name, "additionalProperties": step},
    }
    about = {"title": "A pipeline", "description": "What is at hand, what is wanted, and the steps between."}
    return {"$schema": DRAFT, **about, **_table(pipeline_form.TOP, top, required=["version"])}


# The files by the names that `nemotron schema` takes.
FORMS: dict[str, Callable[[Catalog], Schema]] = {
    "step.toml": manifest_schema,
    "types.toml": types_schema,
    "env.toml": profiles_schema,
    "pipeline.yaml": pipeline_schema,
}

_DESCRIPTIONS = {
    "version": "The version of this form.",
    "want": "The artifact type that the pipeline makes.",
    "have": "What is at hand, by names of your own.",
    "hardware": "What the pipeline runs on, where no step or profile says otherwise.",
    "steps": "The steps, by names of your own.",
    "type": "The artifact type.",
    "path": "A file or folder, from the folder of this file.",
    "hub": "The name of a model or data set on a hub.",
    "revision": "The revision on the hub.",
    "url": "The base URL of a service, up to /v1.",
    "model": "The model's name at the service.",
    "api_key_env": "The name of the environment variable with the key; never the key.",
    "gpu": "The kind of the GPUs: h100, h200, …",
    "nodes": "Machines.",
    "gpus_per_node": "GPUs of each machine.",
    "step": "A step's id.",
    "config": "A config's name, or a path; default where absent.",
    "inputs": "PORT: SOURCE, which is a have, a step, or step.port; a list where the port takes several.",
    "set": "Config keys with their values, as in key=value.",
    "gpus": "GPUs in all.",
    "profile": "The profile of env.toml that it runs on.",
}
_COUNT: Schema = {"type": ["integer", "null"]}
_STEP_KEYS: Schema = {
    "inputs": {"type": ["object", "null"]},
    "set": {"type": ["object", "null"]},
    "gpus": _COUNT,
    "nodes": _COUNT,
    "profile": {"type": ["string", "null"]},
}
_COUNT_TO_FILL_IN: Schema = {"anyOf": [_COUNT, {"const": MISSING}]}
_HARDWARE_KEYS: Schema = {"nodes": _COUNT_TO_FILL_IN, "gpus_per_node": _COUNT_TO_FILL_IN}


def _table(keys: tuple[str, ...], forms: Schema, required: list[str] | None = None) -> Schema:
    properties = {key: {"description": _DESCRIPTIONS[key], **forms.get(key, {})} for key in keys}
    table: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**table, "required": required} if required else table


def _of_model(model: type[BaseModel]) -> Schema:
    return model.model_json_schema(by_alias=True, schema_generator=_Plain)
