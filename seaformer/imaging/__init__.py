"""From an image to the input of a model, and from its output to an image of the result."""
