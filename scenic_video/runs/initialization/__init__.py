"""What a run starts from: its own checkpoint, the weights of others, or random ones."""
