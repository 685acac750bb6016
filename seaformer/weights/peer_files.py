"""The released weights of peers: files that hustvl/TopFormer links to on Google Drive."""

from seaformer.errors import unknown_name
from seaformer.models.peers import TOPFORMER, Peer
from seaformer.tasks import Task
from seaformer.weights.released import ReleasedWeights


def _topformer(
    size: str, drive_id: str, miou: float, batch: int, side: int = 512
) -> ReleasedWeights:
    name = (
        "ade20k" + ("" if side == 512 else f"-{side}") + ("" if batch == 32 else f"-batch{batch}")
    )
    return ReleasedWeights(
        name,
        f"topformer-{size}",
        "ade20k",
        drive_id,
        "mIoU",
        miou,
        TOPFORMER,
        (side, side),
        batch,
    )


RELEASED: tuple[ReleasedWeights, ...] = (
    _topformer("tiny", "1OnS3_PwjJuNMWCKisreNxw_Lma8uR8bV", 34.6, batch=32),
    _topformer("tiny", "11mxM2roRD-wXRYjw7YzKQVbQs2jsvYYw", 33.6, batch=16),
    _topformer("tiny", "1UW6kmt5oxssxHylGaZg5CByP7xcFrOcF", 33.4, batch=32, side=448),
    _topformer("tiny", "1HsdinQHVKGzi8INJy29L48Ho1MmIeCZN", 32.5, batch=16, side=448),
    _topformer("small", "19041fMb4HuDyNhIYdW1r5612FyzpexP0", 37.0, batch=32),
    _topformer("small", "16TJLt_lxJ-QvrDmYvhY_6vxRCYpyIN1n", 36.5, batch=16),
    _topformer("base", "1m7CxYKWAyJzl5W3cj1vwsW4DfqAb_rqz", 39.2, batch=32),
    _topformer("base", "1pYUUB4N6FVjXt1NKygtQis5WmhGECrNt", 38.3, batch=16),
)


def find_released(name: str, peer: Peer, task: Task) -> ReleasedWeights:
    """Return the released weights called `name` of a peer for a task.

    Raises:
        UnknownNameError: there are none; the message lists those there are.
    """
    fitting = {
        weights.name: weights
        for weights in RELEASED
        if (weights.variant, weights.task) == (peer.name, task.name)
    }
    if name not in fitting:
        raise unknown_name(f"released weights of {peer.name} for task {task.name}", name, fitting)
    return fitting[name]
