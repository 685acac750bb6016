"""`seaformer-export --blame`: the operators of a model that a target computes differently."""
