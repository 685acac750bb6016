"""Exit statuses of the regression gate, in addition to those of every command."""

REGRESSION = 3
"""A model became slower than --tolerance allows."""

INCONCLUSIVE = 4
"""With --strict: for a model, a regression can be neither stated nor excluded."""
