"""What lies on disk: digests, facts, records (`artifact.json`), JSONL records. Reads artifacts, no config."""
