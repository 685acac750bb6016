"""The network, one file per part of the paper's Figure 2."""
