"""The Python environments that the training libraries live in: what they are, where, and making them."""
