"""Every network: SeaFormer, its peers and attention layers."""
