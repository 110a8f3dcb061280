"""Training with NeMo AutoModel: its recipes as they are, from its public package. Job process only."""
