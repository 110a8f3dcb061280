"""What happened, and what will: graphs as Mermaid and DOT. Reads pipelines; runs nothing."""
