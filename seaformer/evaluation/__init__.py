"""Evaluating models on a data set: scores, comparisons and a report."""

from seaformer.evaluation.engine import BrokenPicture, Evaluation
from seaformer.evaluation.evaluation_page import write_report
from seaformer.evaluation.models import (
    Candidate,
    Options,
    is_checkpoint,
    open_candidate,
    stated_task,
)
from seaformer.evaluation.protocols import DEPLOYED, OFFICIAL, PROTOCOLS
from seaformer.evaluation.results import Results, collect

__all__ = [
    "DEPLOYED",
    "OFFICIAL",
    "PROTOCOLS",
    "BrokenPicture",
    "Candidate",
    "Evaluation",
    "Options",
    "Results",
    "collect",
    "is_checkpoint",
    "open_candidate",
    "stated_task",
    "write_report",
]
