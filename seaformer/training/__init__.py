"""Training and fine-tuning: the paper's recipe, run by Hugging Face `accelerate`."""
