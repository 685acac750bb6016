"""The table of the released weights.

They are the files that the official repository, fudan-zvg/SeaFormer, links to on Google Drive. It
publishes no checksums, and no weights for COCO-Stuff, for Pascal Context or, with the tiny and the
large variant, for Cityscapes.
"""

from dataclasses import dataclass, replace

from seaformer.errors import UnknownNameError, unknown_name
from seaformer.models.seaformer.variants import Variant
from seaformer.tasks import Task

DRIVE = "https://drive.google.com"

_SEGMENTATION_SOURCE = "fudan-zvg/SeaFormer, seaformer-seg/README.md"
_CLASSIFICATION_SOURCE = "fudan-zvg/SeaFormer, seaformer-cls/README.md"
_OTHERWISE = (
    "Weights of your own are given as the path of a checkpoint (--weights PATH); 'random' needs "
    "none, but then the output means nothing."
)


@dataclass(frozen=True)
class ReleasedWeights:
    """One released file, or the part of one that is asked for by a name of its own.

    Attributes:
        name: as given to `--weights`, together with a variant and a task.
        variant: name of the variant.
        task: name of the task that the file was trained for.
        drive_id: id of the file on Google Drive.
        metric: "mIoU" (single scale, no flip) or "top-1".
        score: published value of the metric on the validation set, in percent.
        source: where the score and the link are published.
        input_size: height and width that the score was measured at, in pixels.
        batch: pictures per training step.
        is_backbone: only stem and context branch are loaded; the score is not theirs.
    """

    name: str
    variant: str
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
        """Name of the file in the cache; another upload gets another one."""
        return f"{self.task}-{self.variant}-{self.drive_id}.pth"

    def url_at(self, base_url: str) -> str:
        """Link to the file on a server that answers as Google Drive does."""
        return f"{base_url.rstrip('/')}/uc?id={self.drive_id}"

    def fits(self, variant: Variant, task: Task) -> bool:
        """Whether a network of `variant` for `task` can load it."""
        if self.variant != variant.name:
            return False
        return task.is_segmentation if self.is_backbone else self.task == task.name


def _ade20k(variant: str, drive_id: str, miou: float, batch: int) -> ReleasedWeights:
    name = "ade20k" if batch == 32 else f"ade20k-batch{batch}"
    size = (512, 512)
    return ReleasedWeights(
        name, variant, "ade20k", drive_id, "mIoU", miou, _SEGMENTATION_SOURCE, size, batch
    )


def _cityscapes(variant: str, drive_id: str, miou: float, size: tuple[int, int]) -> ReleasedWeights:
    name = "cityscapes" if size == (1024, 2048) else "cityscapes-half"
    return ReleasedWeights(
        name, variant, "cityscapes", drive_id, "mIoU", miou, _SEGMENTATION_SOURCE, size, batch=8
    )


def _imagenet(variant: str, drive_id: str, top1: float) -> ReleasedWeights:
    return ReleasedWeights(
        name="imagenet",
        variant=variant,
        task="imagenet",
        drive_id=drive_id,
        metric="top-1",
        score=top1,
        source=_CLASSIFICATION_SOURCE,
        input_size=(224, 224),
        batch=1024,
    )


_FILES = (
    _ade20k("tiny", "1eIBkr2x5jv4eNaNUQpC-91tbIlktXSPi", 36.5, batch=32),
    _ade20k("small", "1hGXFVc7F-vLAKe3BLjqnS06_8Fo7CO-L", 39.5, batch=32),
    _ade20k("base", "1flVg9imJTbgjcJrJiIn_3_lmYpaSKZuV", 41.9, batch=32),
    _ade20k("large", "1SUISoIpZujAYrxrvGPMJidzfYH2KYaAp", 43.8, batch=32),
    _ade20k("tiny", "14l4bTXYsaE-NaMpmBa-dXmt7l3_TJogQ", 35.0, batch=16),
    _ade20k("small", "1eVLFdORpvdLS68hTJCN_SzGuHmepAFxT", 38.9, batch=16),
    _ade20k("base", "1H-GLdNzEViB2-QAtLdXpQVngUmMb_Vsa", 41.2, batch=16),
    _ade20k("large", "1AbbzfQIH6z7tJ8PGlnY1d0S1eEXkva8S", 43.0, batch=16),
    _cityscapes("small", "1jaia2FsZrxVkXzVY-BmIwQXr523feAxC", 76.4, size=(1024, 2048)),
    _cityscapes("base", "1UgaSmQY1ZdFRokhHCB_u8HrDoNSodzIe", 77.7, size=(1024, 2048)),
    _cityscapes("small", "1MQ-nkCMyrzUF_SnWyNCrjra9bPTmr7Iq", 71.1, size=(512, 1024)),
    _cityscapes("base", "1xIcxkwjIJgvPrm4UK7UXH5A5ZkNrCqRt", 72.2, size=(512, 1024)),
    _imagenet("tiny", "1Qh1-8n-KUSGCoKVVcvjuHkTb3AWcX7o5", 68.1),
    _imagenet("small", "1_jpChZPVDFbHfxZPQFL3wKPuDcDgEtPK", 73.4),
    _imagenet("base", "1pTqkYXmEfGuRD2119vWikwd68lGNo8Lx", 76.4),
    _imagenet("large", "1FYyCHV1deCs02ims2Y-NybAMlo_a5o2p", 79.9),
)

RELEASED: tuple[ReleasedWeights, ...] = _FILES + tuple(
    replace(file, name="imagenet-backbone", is_backbone=True)
    for file in _FILES
    if file.task == "imagenet"
)


def find_released(name: str, variant: Variant, task: Task) -> ReleasedWeights:
    """Return the released weights called `name` for a network of `variant` for `task`.

    Raises:
        UnknownNameError: there are none; the message lists those there are for the two.
    """
    fitting = {weights.name: weights for weights in RELEASED if weights.fits(variant, task)}
    if name in fitting:
        return fitting[name]
    elsewhere = [weights for weights in RELEASED if weights.name == name]
    if not elsewhere:
        raise UnknownNameError(f"{unknown_name('released weights', name, fitting)} {_OTHERWISE}")
    if elsewhere[0].is_backbone:
        where = "segmentation tasks"
    else:
        where = f"task {elsewhere[0].task} ({', '.join(weights.variant for weights in elsewhere)})"
    raise UnknownNameError(
        f"there are no released weights '{name}' for variant {variant.name} and task {task.name}, "
        f"only for {where}. Valid for the two: {', '.join(sorted(fitting))}. {_OTHERWISE}"
    )
