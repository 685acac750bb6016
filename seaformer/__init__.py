"""SeaFormer: squeeze-enhanced axial Transformer for mobile semantic segmentation."""
