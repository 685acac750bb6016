"""TensorFlow Lite's own `benchmark_model`, classic or LiteRT's newer one, as a backend."""
