"""Finding the operators of a model that a target computes differently: `seaformer-export --blame`."""
