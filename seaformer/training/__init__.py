"""Training and fine-tuning with the paper's recipe, with Hugging Face `accelerate`."""
