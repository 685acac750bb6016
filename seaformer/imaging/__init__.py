"""From an image to a model's input, and from its output to a picture of the result."""
