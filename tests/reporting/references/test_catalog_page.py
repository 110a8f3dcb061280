"""What CATALOG.md says of a step."""

from __future__ import annotations

from small import SmallCatalog

from nemotron.reporting.references.catalog_page import catalog_page

ROUTING = """
    [[consumes]]
    type = "chat_jsonl"
    at = "data"

    [[consumes]]
    type = "checkpoint_hf"
    at = "model"
    required = false

    [[produces]]
    type = "checkpoint_lora"
    at = "output"

    [[prefer]]
    if = { gpus = "<=1", model_parameters = ">4e9" }
    cost = 1.0
    why = "It does not fit."

    [[prefer]]
    if = { gpu_memory_gib = ">=80" }
    cost = -0.5
    why = "It fits."

    [[strategies]]
    when = "It is slow."
    then = "Wait."
    pattern = "patience"
"""
HEAD = 'pick_when = ["There is time."]\nonly_named = true\nfollows = ["prepare"]'


def test_a_section_says_when_to_pick_the_step_and_when_not(small: SmallCatalog) -> None:
    small.step("train/one", ROUTING, head=HEAD, default="data: null\nmodel: null\noutput: null\n")
    page = "\n".join(catalog_page([small.catalog().step("train/one")]))
    for line in (
        "| It does something. | [train/one](#trainone) | `chat_jsonl` → `checkpoint_lora` |",
        "- **Comes after** steps of `prepare`, where a plan has both",
        "- There is time.",
        "- Nobody asked for it: a plan takes it only for `--through train/one`, a `--set` of its keys, "
        "or what nothing else makes.",
        "- less likely with one GPU and a model of more than 4 billion parameters: It does not fit.",
        "- more likely with GPUs of at least 80 GiB: It fits.",
        "- It is slow. Wait. ([patience](../steps/patterns/patience.md))",
    ):
        assert f"{line}\n" in page + "\n"
