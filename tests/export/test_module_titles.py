"""Titles of modules and of groups of operators, in the paper's words."""

from seaformer.export.module_titles import title_of_group, titles_of
from seaformer.models.create import create_model


def test_a_group_has_the_titles_of_its_module_and_its_parents() -> None:
    model = create_model("tiny")
    titles = titles_of(model, model, ["stem.stage1.0", "light_head.classifier"])
    block = "STEM, stage 1, MobileNetV2 block 1"
    assert title_of_group("stem.stage1.0", titles) == block
    assert title_of_group("stem.stage1.0@*", titles) == f"residual of {block}"
    assert title_of_group("stem.stage1@*", titles) == (
        "operators outside any submodule of STEM, stage 1"
    )
