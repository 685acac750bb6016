"""From an image to a model's input, and from its output to an image of the result."""
