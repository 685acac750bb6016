"""The table of the released weights.

The official repositories, fudan-zvg/SeaFormer and hustvl/TopFormer, link to these files on Google
Drive, without checksums. For SeaFormer, no weights are released for COCO-Stuff and PASCAL-Context,
nor for Cityscapes with the tiny and the large variant.
"""

from dataclasses import dataclass, replace

from seaformer.errors import UnknownNameError, unknown_name
from seaformer.network_names import in_words, name_of_variant, variant_of
from seaformer.tasks import Task

DRIVE = "https://drive.google.com"

_SEGMENTATION_SOURCE = "fudan-zvg/SeaFormer, seaformer-seg/README.md"
_CLASSIFICATION_SOURCE = "fudan-zvg/SeaFormer, seaformer-cls/README.md"
_TOPFORMER_SOURCE = "hustvl/TopFormer, README.md"
_OTHERWISE = (
    "For your own weights, give the path of a checkpoint (--weights PATH); 'random' needs no file, "
    "but makes the output meaningless."
)


@dataclass(frozen=True)
class ReleasedWeights:
    """One released file, or the backbone of one under its own name.

    Attributes:
        name: value of `--weights`; unique for a network and a task.
        network: name of the network, such as "seaformer-tiny".
        task: name of the task that the file was trained for.
        drive_id: id of the file on Google Drive.
        metric: "mIoU" (single scale, no flip) or "top-1".
        score: published value of the metric on the validation set, in percent.
        source: where the score and the link are published.
        input_size: height and width that the score was measured at, in pixels.
        batch: images per training step.
        is_backbone: whether only the backbone is loaded; the score applies to the whole file.
    """

    name: str
    network: str
    task: str
    drive_id: str
    metric: str
    score: float
    source: str
    input_size: tuple[int, int]
    batch: int
    is_backbone: bool = False

    @property
    def url(self) -> str:
        """Link to the file."""
        return self.url_at(DRIVE)

    @property
    def file_name(self) -> str:
        """Name of the file in the cache, unique for each upload."""
        return f"{self.task}-{variant_of(self.network) or self.network}-{self.drive_id}.pth"

    def url_at(self, base_url: str) -> str:
        """Link to the file on a server with the URL scheme of Google Drive."""
        return f"{base_url.rstrip('/')}/uc?id={self.drive_id}"

    def fits(self, network: str, task: Task) -> bool:
        """Whether the network of this name can load the file for `task`."""
        if self.network != network:
            return False
        return task.is_segmentation if self.is_backbone else self.task == task.name


def _ade20k(
    network: str, drive_id: str, miou: float, batch: int, source: str, side: int = 512
) -> ReleasedWeights:
    name = f"ade20k{'' if side == 512 else f'-{side}'}{'' if batch == 32 else f'-batch{batch}'}"
    return ReleasedWeights(
        name, network, "ade20k", drive_id, "mIoU", miou, source, (side, side), batch
    )


def _seaformer(variant: str, drive_id: str, miou: float, batch: int) -> ReleasedWeights:
    return _ade20k(name_of_variant(variant), drive_id, miou, batch, _SEGMENTATION_SOURCE)


def _topformer(
    size: str, drive_id: str, miou: float, batch: int, side: int = 512
) -> ReleasedWeights:
    return _ade20k(f"topformer-{size}", drive_id, miou, batch, _TOPFORMER_SOURCE, side)


def _cityscapes(variant: str, drive_id: str, miou: float, size: tuple[int, int]) -> ReleasedWeights:
    return ReleasedWeights(
        name="cityscapes" if size == (1024, 2048) else "cityscapes-half",
        network=name_of_variant(variant),
        task="cityscapes",
        drive_id=drive_id,
        metric="mIoU",
        score=miou,
        source=_SEGMENTATION_SOURCE,
        input_size=size,
        batch=8,
    )


def _imagenet(variant: str, drive_id: str, top1: float) -> ReleasedWeights:
    return ReleasedWeights(
        name="imagenet",
        network=name_of_variant(variant),
        task="imagenet",
        drive_id=drive_id,
        metric="top-1",
        score=top1,
        source=_CLASSIFICATION_SOURCE,
        input_size=(224, 224),
        batch=1024,
    )


_FILES = (
    _seaformer("tiny", "1eIBkr2x5jv4eNaNUQpC-91tbIlktXSPi", 36.5, batch=32),
    _seaformer("small", "1hGXFVc7F-vLAKe3BLjqnS06_8Fo7CO-L", 39.5, batch=32),
    _seaformer("base", "1flVg9imJTbgjcJrJiIn_3_lmYpaSKZuV", 41.9, batch=32),
    _seaformer("large", "1SUISoIpZujAYrxrvGPMJidzfYH2KYaAp", 43.8, batch=32),
    _seaformer("tiny", "14l4bTXYsaE-NaMpmBa-dXmt7l3_TJogQ", 35.0, batch=16),
    _seaformer("small", "1eVLFdORpvdLS68hTJCN_SzGuHmepAFxT", 38.9, batch=16),
    _seaformer("base", "1H-GLdNzEViB2-QAtLdXpQVngUmMb_Vsa", 41.2, batch=16),
    _seaformer("large", "1AbbzfQIH6z7tJ8PGlnY1d0S1eEXkva8S", 43.0, batch=16),
    _cityscapes("small", "1jaia2FsZrxVkXzVY-BmIwQXr523feAxC", 76.4, size=(1024, 2048)),
    _cityscapes("base", "1UgaSmQY1ZdFRokhHCB_u8HrDoNSodzIe", 77.7, size=(1024, 2048)),
    _cityscapes("small", "1MQ-nkCMyrzUF_SnWyNCrjra9bPTmr7Iq", 71.1, size=(512, 1024)),
    _cityscapes("base", "1xIcxkwjIJgvPrm4UK7UXH5A5ZkNrCqRt", 72.2, size=(512, 1024)),
    _imagenet("tiny", "1Qh1-8n-KUSGCoKVVcvjuHkTb3AWcX7o5", 68.1),
    _imagenet("small", "1_jpChZPVDFbHfxZPQFL3wKPuDcDgEtPK", 73.4),
    _imagenet("base", "1pTqkYXmEfGuRD2119vWikwd68lGNo8Lx", 76.4),
    _imagenet("large", "1FYyCHV1deCs02ims2Y-NybAMlo_a5o2p", 79.9),
    _topformer("tiny", "1OnS3_PwjJuNMWCKisreNxw_Lma8uR8bV", 34.6, batch=32),
    _topformer("tiny", "11mxM2roRD-wXRYjw7YzKQVbQs2jsvYYw", 33.6, batch=16),
    _topformer("tiny", "1UW6kmt5oxssxHylGaZg5CByP7xcFrOcF", 33.4, batch=32, side=448),
    _topformer("tiny", "1HsdinQHVKGzi8INJy29L48Ho1MmIeCZN", 32.5, batch=16, side=448),
    _topformer("small", "19041fMb4HuDyNhIYdW1r5612FyzpexP0", 37.0, batch=32),
    _topformer("small", "16TJLt_lxJ-QvrDmYvhY_6vxRCYpyIN1n", 36.5, batch=16),
    _topformer("base", "1m7CxYKWAyJzl5W3cj1vwsW4DfqAb_rqz", 39.2, batch=32),
    _topformer("base", "1pYUUB4N6FVjXt1NKygtQis5WmhGECrNt", 38.3, batch=16),
)

RELEASED: tuple[ReleasedWeights, ...] = _FILES + tuple(
    replace(file, name="imagenet-backbone", is_backbone=True)
    for file in _FILES
    if file.task == "imagenet"
)


def find_released(name: str, network: str, task: Task) -> ReleasedWeights:
    """Return the released weights called `name` for a task and the network of this name.

    Raises:
        UnknownNameError: there are no such weights; the message lists the known ones.
    """
    fitting = {weights.name: weights for weights in RELEASED if weights.fits(network, task)}
    if name in fitting:
        return fitting[name]
    elsewhere = [weights for weights in RELEASED if weights.name == name]
    if not elsewhere and not fitting:
        raise UnknownNameError(
            f"there are no released weights '{name}' for {in_words(network)} and task "
            f"{task.name}, nor any others. {_OTHERWISE}"
        )
    if not elsewhere:
        raise UnknownNameError(f"{unknown_name('released weights', name, fitting)} {_OTHERWISE}")
    if elsewhere[0].is_backbone:
        where = "segmentation tasks"
    else:
        owners = (variant_of(weights.network) or weights.network for weights in elsewhere)
        where = f"task {elsewhere[0].task} ({', '.join(owners)})"
    raise UnknownNameError(
        f"there are no released weights '{name}' for {in_words(network)} and task {task.name}, "
        f"only for {where}. Valid for both: {', '.join(sorted(fitting)) or 'none'}. {_OTHERWISE}"
    )
