"""Training and fine-tuning by the paper's recipe, with Hugging Face `accelerate`."""
