"""Data sets on disk, in their published layouts or in a plain layout.

dataset = open_dataset("ADEChallengeData2016", task="ade20k", split="val")
for item in dataset.items:
    image, mask = read_image(item.image), read_mask(item, dataset.task)
"""

from seaformer.datasets.boxes import Box, Boxes
from seaformer.datasets.dataset import Dataset, Fault, check, fault_of, open_dataset
from seaformer.datasets.layouts import LAYOUTS, Item, Layout
from seaformer.datasets.masks import IGNORED, read_mask
from seaformer.datasets.own_task import own_task

__all__ = [
    "IGNORED",
    "LAYOUTS",
    "Box",
    "Boxes",
    "Dataset",
    "Fault",
    "Item",
    "Layout",
    "check",
    "fault_of",
    "open_dataset",
    "own_task",
    "read_mask",
]
