"""The registry: its rows, looking up a name, and recognizing a checkpoint."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from official_weights import build_network
from sampling import sampled

from seaformer.errors import UnknownNameError, UsageError
from seaformer.extras import MissingExtraError, is_installed
from seaformer.models import resolve as resolving
from seaformer.models.collections.collection_table import Collection
from seaformer.models.create import create, create_model
from seaformer.models.entry import Network
from seaformer.models.identity import identified, identify
from seaformer.models.registry import LAYERS, OWN_ATTENTION, REGISTRY
from seaformer.models.resolve import as_network, chosen, find_model, resolve, with_ablation
from seaformer.models.seaformer.variants import VARIANTS, get_variant
from seaformer.network_names import members, option, stored_name
from seaformer.tasks import get_task
from seaformer.weights.checkpoint import Checkpoint

ADE20K = get_task("ade20k")
LOADED = [
    (name, kind)
    for name, network in REGISTRY.items()
    for kind in network.builders
    if network.library is None or is_installed(network.library)
]
REPLACED = [case for case in LOADED if REGISTRY[case[0]].attention not in ("", OWN_ATTENTION)]
"""Networks that differ only in one of several attention layers."""
SAMPLED = [*(case for case in LOADED if case not in REPLACED), *sampled(REPLACED)]


# The rows


def test_the_registry_is_imported_without_torch() -> None:
    code = (
        "import sys, seaformer.models.registry, seaformer.models.resolve\n"
        "seaformer.models.resolve.resolve('package.module:factory')\n"
        "print([name for name in ('torch', 'numpy', 'package') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_every_row_has_a_unique_name_title_and_file_names() -> None:
    for attribute in ("name", "title"):
        assert len({getattr(row, attribute) for row in REGISTRY.values()}) == len(REGISTRY)
    stems = {row.file_stem(ADE20K) for row in REGISTRY.values()}
    assert len(stems) == len(REGISTRY)
    for name, row in REGISTRY.items():
        assert name == row.name == f"{row.family}-{row.size}"
        assert re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)+", name)
        assert row.paper


def test_the_variants_of_seaformer_are_rows() -> None:
    rows = [row for row in REGISTRY.values() if row.variant is not None]
    assert [row.variant for row in rows] == list(VARIANTS.values())
    assert [row.name for row in rows] == [f"seaformer-{name}" for name in VARIANTS]
    assert [row.long_title for row in rows] == [
        f"SeaFormer-{name.capitalize()}" for name in VARIANTS
    ]


@pytest.mark.parametrize("name", REGISTRY)
def test_a_row_is_a_whole_network_or_a_single_layer(name: str) -> None:
    row = REGISTRY[name]
    assert bool(row.builders) != (row.fixed is not None)
    assert (row.takes == "features") == (row.cost is not None) == (row.size in LAYERS)
    assert (row.stride is None) == (row.cost is not None)
    assert not row.has_own_weights


def test_a_network_without_its_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name == "torchvision" else 1
    )
    with pytest.raises(
        MissingExtraError, match=r"'torchvision'.*pip install 'seaformer\[models\]'"
    ):
        create(REGISTRY["seaformer-tiny-retinanet"], get_task("coco"))


@pytest.mark.parametrize(("name", "kind"), SAMPLED)
def test_the_backbone_is_part_of_the_network_without_its_classifier(name: str, kind: str) -> None:
    row = REGISTRY[name]
    with torch.device("meta"):
        one, two = (row.build(kind, classes).state_dict() for classes in (1, 2))
    backbone = [key for key in one if key.startswith(row.backbone)]
    classifier = [key for key in one if one[key].shape != two[key].shape]
    assert 0.5 * len(one) < len(backbone) < len(one)
    assert classifier
    assert not set(classifier) & set(backbone)
    if row.official_names is not None:
        names = row.official_names(one)
        assert names.keys() == one.keys()
        assert len(set(names.values())) == len(names)


@pytest.mark.parametrize("name", ["seaformer-tiny", "seaformer-large"])
def test_published_sizes_of_seaformers_match_counts(name: str) -> None:
    published = REGISTRY[name].published
    assert published is not None
    params = sum(p.numel() for p in build_network(name, ADE20K).parameters())
    assert f"{params / 1e6:.1f}" == published.params_m


# From a name to a row


def test_a_variant_is_an_abbreviation_of_a_row() -> None:
    for name in VARIANTS:
        row = REGISTRY[f"seaformer-{name}"]
        assert resolve(row.name) is chosen(None, name) is chosen(row.name, None) is row
        assert chosen(row.name, name) is as_network(name) is as_network(row.name) is row
        assert as_network(row) is row
    assert chosen(None, None) is None


@pytest.mark.parametrize("model", ["seaformer-small", "topformer-tiny", "package.module:factory"])
def test_two_different_networks_are_refused(model: str) -> None:
    with pytest.raises(UsageError, match=f"--variant tiny and --model {model}.*different networks"):
        chosen(model, "tiny")


def test_an_unknown_name_is_reported_with_suggestions() -> None:
    with pytest.raises(
        UsageError, match=r"unknown model 'topformer-tny'. Did you mean 'topformer-"
    ):
        resolve("topformer-tny")
    with pytest.raises(UnknownNameError, match=r"unknown model 'tny'. Did you mean 'tiny'"):
        as_network("tny")
    with pytest.raises(UnknownNameError, match="unknown variant 'tny'"):
        chosen(None, "tny")


@pytest.mark.parametrize("name", ["os:getcwd", "package.module:factory", "nothing", ""])
def test_a_name_from_a_file_is_looked_up_only_in_the_registry(name: str) -> None:
    with pytest.raises(UnknownNameError, match="unknown model"):
        resolve(name, allow_factory=False)


def test_a_prefix_comes_before_a_factory(monkeypatch: pytest.MonkeyPatch) -> None:
    network = Network("zoo:net", "zoo", "Net", "a paper")
    monkeypatch.setattr(resolving, "COLLECTIONS", {"zoo": Collection("zoo", "a zoo", "net")})
    monkeypatch.setattr(resolving, "library_network", lambda _, name: {"net": network}[name])
    assert resolve("zoo:net") is network
    assert resolve("zoo.module:net").has_own_weights


def test_an_unknown_prefix_is_a_clear_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match=r"'no_zoo:net' cannot be imported.*'no_zoo:' is not the"):
        create(resolve("no_zoo:net"), ADE20K)


def test_a_file_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_model("seaformer-tiny") is REGISTRY["seaformer-tiny"]
    Path("topformer-tiny").mkdir()
    assert find_model("topformer-tiny") is REGISTRY["topformer-tiny"]
    Path("seaformer-tiny").touch()
    assert find_model("seaformer-tiny") == Path("seaformer-tiny")
    for missing in ("absent.pth", "models/seaformer-small", "./seaformer-small"):
        assert find_model(missing) == Path(missing)
    found = find_model("my_package.networks:make_unet")
    assert isinstance(found, Network)
    assert found.name == "my_package.networks:make_unet"
    with pytest.raises(
        UsageError, match=r"unknown model 'seaformer-smal'. Did you mean 'seaformer-"
    ):
        find_model("seaformer-smal")


def test_an_ablation_is_a_separate_row() -> None:
    row = with_ablation(REGISTRY["seaformer-tiny"], {"fusion": "add", "detail": "off"})
    assert row.ablation == {"fusion": "add", "detail": "off"}
    assert row.file_stem(ADE20K) == "seaformer_tiny_fusion-add_detail-off_ade20k"
    assert row.published is None
    same = with_ablation(REGISTRY["topformer-tiny"], {"detail": "concat-qkv"})
    assert same is REGISTRY["topformer-tiny"]
    with pytest.raises(UsageError, match="'topformer-tiny' is another network"):
        with_ablation(REGISTRY["topformer-tiny"], {"detail": "off"})


@pytest.mark.parametrize("name", [*REGISTRY, "package.module:factory"])
def test_a_stored_name_resolves_to_its_row(name: str) -> None:
    stored = members(name)
    assert stored_name(stored.get("variant"), stored.get("model")) == name
    assert option(name).split()[1] in (name, name.removeprefix("seaformer-"))


# From a row to a network


@pytest.mark.parametrize(("short", "name"), [("tiny", "seaformer-tiny"), ("topformer-tiny",) * 2])
def test_a_model_is_created_by_either_name(short: str, name: str) -> None:
    image = torch.ones(1, 3, 64, 96)
    with torch.no_grad():
        logits, again = create_model(short)(image), create(REGISTRY[name], ADE20K)[0](image)
    assert torch.equal(logits, again)
    assert logits.shape == (1, 150, 8, 12)


def test_a_changed_variant_is_created_as_its_ablation() -> None:
    row = with_ablation(REGISTRY["seaformer-tiny"], {"detail": "off"})
    assert row.variant is not None
    by_variant, by_name = create_model(row.variant), create_model("tiny", ablation=row.ablation)
    for key, tensor in by_name.state_dict().items():
        assert torch.equal(by_variant.state_dict()[key], tensor), key


@pytest.mark.parametrize(
    ("name", "task", "weights", "message"),
    [
        ("topformer-tiny", "imagenet", None, "'topformer-tiny' is for segmentation, but task 'im"),
        ("attention-axial", "ade20k", "ade20k", "--weights cannot be used with --model attention"),
        ("a.b:c", "ade20k", "x.pth", "--weights cannot be used with --model a.b:c: the factory"),
    ],
)
def test_unsuitable_tasks_and_weights_are_refused(
    name: str, task: str, weights: str, message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        create(resolve(name), get_task(task), weights)


def test_the_random_state_of_the_caller_is_unchanged() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    create_model("tiny")
    assert torch.equal(torch.rand(3), expected)


# From a checkpoint to a row


def checkpoint(name: str, kind: str, classes: int, official: bool, **header: str) -> Checkpoint:
    row = REGISTRY[name]
    with torch.device("meta"):
        state = row.build(kind, classes).state_dict()
    if official:
        assert row.official_names is not None
        names = row.official_names(state)
        state = {names[key]: tensor for key, tensor in state.items()}
    return Checkpoint(Path("x.pth"), "", state, None, header)


@pytest.mark.parametrize(("name", "kind"), SAMPLED)
@pytest.mark.parametrize("official", [False, True])
def test_every_network_is_recognized_by_its_tensors(name: str, kind: str, official: bool) -> None:
    if official and REGISTRY[name].official_names is None:
        pytest.skip("no checkpoints of it are published")
    identity = identify(checkpoint(name, kind, 37, official))
    assert identity is not None
    assert (identity.network.name, identity.kind, identity.classes) == (name, kind, 37)


def test_a_file_does_not_determine_what_code_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("helper.py").write_text("open('imported', 'w').close()\n")
    for header in ({"model": "helper:pwn"}, {"variant": "helper:pwn"}):
        with pytest.raises(UnknownNameError, match="unknown model"):
            identified(checkpoint("seaformer-tiny", "segmentation", 3, False, **header))
    assert not Path("imported").exists()
    found = identified(checkpoint("seaformer-tiny", "segmentation", 3, False, variant="small"))
    assert found is as_network(get_variant("small").name)
