"""Evaluation of models on a data set: scores, comparisons and a report."""
