"""What the models of a benchmark are called on its page."""

from collections import Counter

from seaformer.benchmark.results.schema import Results


def model_names(results: Results) -> dict[str, str]:
    """Id of each model -> its file name, or its whole path where two have the same file name."""
    count = Counter(model.label for model in results.models)
    return {
        model.id: model.label if count[model.label] == 1 else model.file + model.setting
        for model in results.models
    }
