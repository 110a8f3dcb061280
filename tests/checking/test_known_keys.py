"""Unknown keys are found, and valid ones are not refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nemotron.catalog.catalog import Catalog, Step, default_catalog
from nemotron.checking.config_rules import unknown_keys
from nemotron.checking.known_keys import Finding, KnownKeys, Problem
from nemotron.checking.library_schema import library_schema
from nemotron.config.layers import read_layers, resolve_config
from nemotron.config.tree import join_key
from nemotron.config.yaml_places import parse_yaml, read_yaml
from nemotron.diagnostic import Diagnostic, Place, Severity
from nemotron.planning.request import StepRequest

# What people write for the fine-tuning recipe, after the guides and examples of the library.
VALID = sorted((Path(__file__).parent / "valid_automodel").glob("*.yaml"))
MODEL = "_target_: nemo_automodel.NeMoAutoModelForCausalLM.from_pretrained"
DATASETS = "nemo_automodel.components.datasets"
CHAT = f"_target_: {DATASETS}.llm.ChatDataset"

# Keys of Megatron-Bridge's steps that their program reads in place of the library.
OURS = {
    "hf_model_path",
    "load_hf_weights",
    "revision",
    "trust_remote_code",
    "dataset.data_paths",
    "peft.type",
}

# A slip, and what was meant.
SLIPS = {
    "step_scheduler.max_step": ("max_steps",),
    "dataset.path_or_dataset": ("path_or_dataset_id",),
    "dataset.seq_len": ("seq_length",),
    "optimzer": ("optimizer",),
    "vaildation_dataset_web": ("validation_dataset",),
    "optimizer.wieght_decay": ("weight_decay",),
    "peft.dimm": ("dim",),
    "distributed.tp": ("tp_plan", "tp_size"),
    "distributed.pipeline.pp_shedule": ("pp_schedule",),
    "checkpoint.checkpoint_dirr": ("checkpoint_dir",),
    "dist_env.timeout_minute": ("timeout_minutes",),
    "dataloader.num_worker": ("num_workers",),
    "dataloader.sampler": (),
    "clip_grad_norm.max_nrom": ("max_norm",),
    "validation_dataset.splitt": ("split",),
    "parallelizer": (),
}
SLIPS_IN_OPEN_TABLES = {
    "model.torch_dtyp": "torch_dtype",
    "model.pretrained_model_name_or_pth": "pretrained_model_name_or_path",
    "model.backend.atn": "attn",
    "dataset.tokenizer.pretrained_model_name": "",
    "wandb.projct": "project",
}
WRONG_TARGETS = {
    "model._target_": ("NeMoAutoModelForCausaLM.from_pretrained", "NeMoAutoModelForCausalLM.from_pretrained"),
    "peft._target_": ("components._peft.lora.PEFTConfig", "components._peft.lora.PeftConfig"),
    "dataset._target_": ("components.datasets.llm.ChatDatset", "components.datasets.llm.ChatDataset"),
    "loss_fn._target_": (
        "component.loss.masked_ce.MaskedCrossEntropy",
        "components.loss.masked_ce.MaskedCrossEntropy",
    ),
    "dataloader.collate_fn": (
        "components.datasets.utils.default_collator",
        "components.datasets.utils.default_collater",
    ),
}


@pytest.fixture(scope="module")
def sft() -> Step:
    return default_catalog().step("sft/automodel")


@pytest.fixture(scope="module")
def peft() -> Step:
    return default_catalog().step("peft/automodel")


def all_steps() -> list[Step]:
    return default_catalog().steps()[0]


def schema_steps() -> list[Step]:
    """The trainers whose config is that of their library."""
    kinds = ("pretrain/", "sft/", "peft/")
    return [step for step in all_steps() if step.id.startswith(kinds)]


def shipped_configs() -> list[tuple[Step, str]]:
    return [(step, config) for step in all_steps() for config in step.config_names()]


def findings(step: Step, tree: dict[str, Any]) -> list[Finding]:
    return list(KnownKeys.of_step(step).findings(tree))


def with_key(step: Step, key: str, value: Any) -> dict[str, Any]:
    """The step's default config with one more key."""
    document = read_layers(step.config_folder / "default.yaml")
    document.set(key, value, Place(argument=key))
    return document.tree


def diagnostics(step: Step, text: str, folder: Path) -> list[Diagnostic]:
    """What the rule says of a config file with this text."""
    file = folder / "config.yaml"
    file.write_text(text, encoding="utf-8")
    config = resolve_config(file, [])
    return list(unknown_keys(StepRequest("s", step, default_catalog().types, config, "config", [], 1, 1)))


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.stem)
def test_valid_configs_are_not_refused(sft: Step, file: Path) -> None:
    assert findings(sft, read_yaml(file).tree) == []


@pytest.mark.parametrize(
    ("step", "config"), [pytest.param(s, c, id=f"{s.id}-{c}") for s, c in shipped_configs()]
)
def test_shipped_configs_are_not_refused(step: Step, config: str) -> None:
    assert findings(step, read_layers(step.config_folder / f"{config}.yaml").tree) == []


@pytest.mark.parametrize("step", schema_steps(), ids=lambda step: step.id)
def test_manifests_name_only_keys_that_the_library_reads(step: Step) -> None:
    manifest, library_alone = step.manifest, KnownKeys(library_schema(step.manifest.step.library or ""))
    keys = {p.at for p in manifest.consumes} | {p.at for p in manifest.produces}
    for key in (keys | {p.key for p in manifest.parameters}) - OURS:
        found = library_alone.findings(with_key(step, key, None))
        assert [f for f in found if join_key(f.path) == key] == [], key


@pytest.mark.parametrize(("key", "meant"), SLIPS.items())
def test_an_unknown_key_is_found_with_what_was_meant(peft: Step, key: str, meant: tuple[str, ...]) -> None:
    (found,) = findings(peft, with_key(peft, key, 1))
    assert (found.problem, join_key(found.path), found.instead) == (Problem.UNKNOWN, key, meant)


@pytest.mark.parametrize(("key", "meant"), SLIPS_IN_OPEN_TABLES.items())
def test_where_any_key_is_taken_only_a_near_miss_is_told(peft: Step, key: str, meant: str) -> None:
    found = [(f.problem, join_key(f.path), f.instead) for f in findings(peft, with_key(peft, key, 1))]
    assert found == ([(Problem.SLIP, key, (meant,))] if meant else [])


@pytest.mark.parametrize(("key", "names"), WRONG_TARGETS.items())
def test_a_target_that_the_library_does_not_have_is_told(
    peft: Step, key: str, names: tuple[str, str]
) -> None:
    wrong, right = (f"nemo_automodel.{name}" for name in names)
    found = [f for f in findings(peft, with_key(peft, key, wrong)) if f.problem is Problem.TARGET]
    assert [(join_key(f.path), f.instead) for f in found] == [(key, (right,))]
    assert not [f for f in findings(peft, with_key(peft, key, right)) if f.problem is Problem.TARGET]


def test_nothing_is_reported_below_an_unknown_key(sft: Step) -> None:
    tree = parse_yaml("optimzer: {_target_: torch.optim.AdamW, lrr: 1}", "c").tree
    assert [join_key(f.path) for f in findings(sft, tree)] == ["optimzer"]


def test_entries_of_lists_are_looked_into(sft: Step) -> None:
    tree = parse_yaml("domain_mixture: {domains: [{name: a}, {nmae: b}]}", "c").tree
    assert [(join_key(f.path), f.instead) for f in findings(sft, tree)] == [
        ("domain_mixture.domains.1.nmae", ("name",))
    ]


def test_a_config_of_the_users_own_does_not_make_its_keys_known(sft: Step, tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    own = Step(sft.manifest, tmp_path)
    (own.config_folder / "mine.yaml").write_text("step_scheduler: {max_step: 3}\n", encoding="utf-8")
    assert [join_key(f.path) for f in findings(own, {"step_scheduler": {"max_step": 3}})] == [
        "step_scheduler.max_step"
    ]


class TestDiagnostics:
    def test_an_unknown_key_is_an_error_at_its_place(self, sft: Step, tmp_path: Path) -> None:
        (found,) = diagnostics(sft, "step_scheduler:\n  max_step: 3\n", tmp_path)
        assert (found.code, found.severity) == ("NMT204", Severity.ERROR)
        assert found.where is not None
        assert (found.where.line, found.where.column) == (2, 3)
        assert found.fix == "did you mean 'max_steps'?"

    def test_a_key_that_another_rules_out_is_an_error(self, sft: Step, tmp_path: Path) -> None:
        (found,) = diagnostics(sft, "distributed: {strategy: ddp, sequence_parallel: true}\n", tmp_path)
        assert found.code == "NMT204"
        assert found.summary == "'distributed.sequence_parallel' may not be given with strategy: ddp"
        assert found.fix == "~distributed.sequence_parallel takes it out"

    def test_what_is_known_is_listed_where_nothing_is_near(self, sft: Step, tmp_path: Path) -> None:
        (found,) = diagnostics(sft, "dist_env: {zzz: 3}\n", tmp_path)
        assert found.fix == "known here: backend, timeout_minutes"

    def test_a_near_miss_in_an_open_table_is_a_warning(self, sft: Step, tmp_path: Path) -> None:
        (found,) = diagnostics(sft, f"model:\n  {MODEL}\n  torch_dtyp: float32\n", tmp_path)
        assert (found.code, found.severity) == ("NMT221", Severity.WARNING)
        assert found.fix == "did you mean 'torch_dtype'?"

    def test_a_target_that_is_not_there_is_a_warning(self, sft: Step, tmp_path: Path) -> None:
        (found,) = diagnostics(sft, f"dataset:\n  {CHAT}s\n", tmp_path)
        assert (found.code, found.severity) == ("NMT221", Severity.WARNING)
        assert "ChatDatasets" in found.summary
        assert f"'{DATASETS}.llm.ChatDataset'" in found.fix

    def test_a_section_that_the_recipe_passes_over_is_a_note(self, sft: Step, tmp_path: Path) -> None:
        text = "rng: {_target_: nemo_automodel.components.training.rng.StatefulRNG, seed: 3, ranked: true}\n"
        (found,) = diagnostics(sft, text, tmp_path)
        assert (found.code, found.severity) == ("NMT226", Severity.NOTE)
        assert found.fix == "set 'seed' in its place"


class TestAStepWhoseLibraryHasNoSchema:
    MANIFEST = """
        [step]
        id = "tools/count"
        version = 1
        name = "Count"
        summary = "Counts."
        description = "Counts."

        [[consumes]]
        type = "raw_jsonl"
        at = "inputs.text"
        field_at = "inputs.field"
        many = true

        [[produces]]
        type = "raw_jsonl"
        at = "output"

        [[parameters]]
        key = "workers"
        type = "integer"
        description = "Processes."

        [[parameters]]
        key = "extra"
        type = "table"
        description = "Handed on."
        """

    @pytest.fixture
    def step(self, tmp_path: Path) -> Step:
        folder = tmp_path / "tools" / "count"
        (folder / "config").mkdir(parents=True)
        manifest = "\n".join(line.strip() for line in self.MANIFEST.splitlines())
        (folder / "step.toml").write_text(manifest, encoding="utf-8")
        (folder / "config" / "default.yaml").write_text("filter: {length: 3}\n", encoding="utf-8")
        (folder / "config" / "mine.yaml").write_text(
            "defaults: default.yaml\nfilter: {lenght: 4}\n", encoding="utf-8"
        )
        return Catalog([tmp_path]).step("tools/count")

    def test_its_keys_are_those_of_the_manifest_and_of_the_configs(self, step: Step) -> None:
        tree: dict[str, Any] = {
            "inputs": {"text": [{"path": "a", "weight": 2}, "b"], "field": "text"},
            "output": "o",
            "workers": 2,
            "extra": {"any": {"thing": 1}},
            "filter": {"length": 4},
            "run": {"gpus": 1, "env_vars": {"A": "b"}},
        }
        assert findings(step, tree) == []

    @pytest.mark.parametrize(
        ("tree", "key", "meant"),
        [
            ({"worker": 2}, "worker", "workers"),
            ({"filter": {"lenght": 4}}, "filter.lenght", "length"),
            ({"inputs": {"text": [{"path": "a", "wieght": 2}]}}, "inputs.text.0.wieght", "weight"),
            ({"run": {"gpu": 2}}, "run.gpu", "gpus"),
        ],
    )
    def test_others_are_found(self, step: Step, tree: dict[str, Any], key: str, meant: str) -> None:
        (found,) = findings(step, tree)
        assert (found.problem, join_key(found.path), found.instead) == (Problem.UNKNOWN, key, (meant,))

    def test_the_arguments_of_a_target_may_be_more_than_are_known(self, step: Step) -> None:
        tree = {"filter": {"_target_": "anything", "lengh": 4, "unheard_of": 1}}
        assert [(f.problem, join_key(f.path)) for f in findings(step, tree)] == [
            (Problem.SLIP, "filter.lengh")
        ]


@pytest.fixture(scope="module")
def megatron() -> Step:
    return default_catalog().step("sft/megatron_bridge")


class TestMegatronBridge:
    RECIPES = "megatron.bridge.recipes"

    SLIPS = {
        "modle": ("model",),
        "model.seq_lenght": ("seq_length",),
        "model.tensor_parallel_size": ("tensor_model_parallel_size",),
        "optimizer.weigth_decay": ("weight_decay",),
        "ddp.average_in_colective": ("average_in_collective",),
        "dataset.packed_sequence_specs.packed_train_path": ("packed_train_data_path",),
        "train.train_iter": ("train_iters",),
        "scheduler.lr_warmup_iter": ("lr_warmup_iters",),
        "checkpoint.pretrained_checkpiont": ("pretrained_checkpoint",),
        "tokenizer.tokeniser_model": ("tokenizer_model",),
        "hf_model_pth": ("hf_model_path",),
        "step_scheduler": ("scheduler",),
    }

    @pytest.mark.parametrize(("key", "meant"), SLIPS.items())
    def test_an_unknown_key_is_found_with_what_was_meant(
        self, megatron: Step, key: str, meant: tuple[str, ...]
    ) -> None:
        (found,) = findings(megatron, with_key(megatron, key, 1))
        assert (found.problem, join_key(found.path)) == (Problem.UNKNOWN, key)
        assert set(meant) <= set(found.instead)

    def test_below_an_unknown_table_nothing_is_reported(self, megatron: Step) -> None:
        (found,) = findings(megatron, with_key(megatron, "modle.seq_length", 1))
        assert (join_key(found.path), found.instead) == ("modle", ("model",))

    @pytest.mark.parametrize(
        "key",
        [
            "model.moe_router_topk",
            "model.mamba_num_heads",
            "model.q_lora_rank",
            "dataset.blend_per_split",
            "dataset.hf_kwargs.anything",
            "comm_overlap.tp_comm_overlap_cfg.qkv_fprop.num_sm",
            "optimizer.muon_momentum",
            "inprocess_restart.enabled",
        ],
    )
    def test_fields_of_any_class_of_a_section_are_known(self, megatron: Step, key: str) -> None:
        assert findings(megatron, with_key(megatron, key, None)) == []

    @pytest.mark.parametrize(
        ("key", "value", "wanted"),
        [
            ("model.num_layers", "many", "integer"),
            ("optimizer.clip_grad", "1", "number"),
            ("ddp.overlap_grad_reduce", 1, "boolean"),
            ("dist.distributed_timeout_minutes", 1.5, "integer"),
        ],
    )
    def test_a_value_of_another_type_is_found(
        self, megatron: Step, key: str, value: object, wanted: str
    ) -> None:
        (found,) = findings(megatron, with_key(megatron, key, value))
        assert (found.problem, join_key(found.path), found.wanted) == (Problem.TYPE, key, wanted)

    def test_the_type_of_a_manifests_parameter_is_left_to_the_manifest(self, megatron: Step) -> None:
        assert findings(megatron, with_key(megatron, "train.train_iters", "many")) == []

    @pytest.mark.parametrize(
        ("recipe", "meant"),
        [
            ("qwen3_8b_sft_confg", "qwen3_8b_sft_config"),
            (f"{RECIPES}.qwen3_8b_sft_confg", f"{RECIPES}.qwen3_8b_sft_config"),
            ({"_target_": f"{RECIPES}.qwen.qwen3_8b_sft_confg"}, f"{RECIPES}.qwen.qwen3_8b_sft_config"),
        ],
    )
    def test_a_recipe_that_is_not_there_is_told_and_its_config_checked(
        self, megatron: Step, recipe: object, meant: str
    ) -> None:
        tree = {"recipe": recipe, "modle": {}}
        wrong, unknown = findings(megatron, tree)
        assert (wrong.problem, wrong.instead) == (Problem.TARGET, (meant,))
        assert unknown.path == ("modle",)

    @pytest.mark.parametrize(
        "recipe",
        [
            "qwen3_8b_sft_config",
            f"{RECIPES}.qwen3_8b_sft_config",
            f"{RECIPES}.qwen.qwen3.qwen3_8b_sft_config",
            {"_target_": f"{RECIPES}.nemotronh.nemotron_3_nano.nemotron_3_nano_sft_config"},
            {"_target_": "our.recipes.large", "any": 1},
        ],
    )
    def test_recipes_of_the_library_and_of_the_users_own_are_taken(
        self, megatron: Step, recipe: object
    ) -> None:
        assert findings(megatron, {"recipe": recipe}) == []

    def test_a_converter_has_a_config_of_its_own(self) -> None:
        converter = default_catalog().step("convert/hf_to_megatron")
        found = findings(converter, {"tp": 2, "train": {"train_iters": 1}, "torch_dtyp": "float32"})
        assert [(join_key(f.path), f.instead) for f in found] == [
            ("train", ()),
            ("torch_dtyp", ("torch_dtype",)),
        ]

    def test_wrong_types_are_errors_at_their_place(self, megatron: Step, tmp_path: Path) -> None:
        (found,) = diagnostics(megatron, "model:\n  num_layers: many\n", tmp_path)
        assert (found.code, found.severity) == ("NMT220", Severity.ERROR)
        assert found.summary == "'model.num_layers' must be a whole number, not \"many\""
        assert found.where is not None
        assert (found.where.line, found.where.column) == (2, 3)

    def test_misspelt_keys_are_errors_with_the_nearest_name(self, megatron: Step, tmp_path: Path) -> None:
        text = "model:\n  seq_lenght: 4096\nmodle: {seq_length: 1}\n"
        found = diagnostics(megatron, text, tmp_path)
        assert [(d.code, d.where and d.where.line, d.fix) for d in found] == [
            ("NMT204", 2, "did you mean 'seq_length'?"),
            ("NMT204", 3, "did you mean 'model'?"),
        ]
