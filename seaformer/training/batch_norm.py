"""Synchronized BatchNorm over the images of all processes."""

import torch
from torch import Tensor, nn
from torch.distributed.nn import functional as collective


class HostSyncBatchNorm(nn.BatchNorm2d):
    """`torch.nn.SyncBatchNorm` for processes on CPUs, which torch does not support.

    Every process has to contribute the same number of values.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Normalize by the mean and the variance over all processes."""
        if not self.training:
            return super().forward(x)
        processes = torch.distributed.get_world_size()
        count = processes * x.numel() // x.shape[1]
        mean = collective.all_reduce(x.mean((0, 2, 3))) / processes
        centered = x - mean[:, None, None]
        variance = collective.all_reduce(centered.square().mean((0, 2, 3))) / processes
        with torch.no_grad():
            momentum = self.momentum or 0.0
            self.running_mean.lerp_(mean, momentum)  # type: ignore[union-attr]
            self.running_var.lerp_(variance * count / (count - 1), momentum)  # type: ignore[union-attr]
            self.num_batches_tracked.add_(1)  # type: ignore[union-attr]
        scale = self.weight * (variance + self.eps).rsqrt()
        return centered * scale[:, None, None] + self.bias[:, None, None]


def synchronize(model: nn.Module, device: torch.device) -> nn.Module:
    """Make the BatchNorms of a network use the images of all processes; names do not change."""
    if device.type != "cpu":
        return nn.SyncBatchNorm.convert_sync_batchnorm(model)
    for module in model.modules():
        if type(module) is nn.BatchNorm2d:
            # The subclass adds no parameters or buffers.
            module.__class__ = HostSyncBatchNorm
    return model
