"""`--table accelerators`: one network on every accelerator of a device, side by side."""
