"""Prefixes of tensor names: wrapper prefixes are removed, the network's own are kept."""

import torch

from seaformer.weights.state_dicts import MANY, unwrapped


def test_first_names_of_a_network_are_not_mistaken_for_a_wrapper() -> None:
    state = {f"units.{index}.weight": torch.zeros(1) for index in range(MANY)}
    assert unwrapped(state, parts=("units.",)).tensors.keys() == state.keys()
    assert "0.weight" in unwrapped(state).tensors
    wrapped = {f"module.{name}": tensor for name, tensor in state.items()}
    assert unwrapped(wrapped, parts=("units.",)).tensors.keys() == state.keys()
