"""`--energy`: the energy of an inference, from the battery of a phone."""
