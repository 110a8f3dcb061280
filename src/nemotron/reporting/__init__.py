"""What happened, and what will: runs, lineage, graphs. Reads the run store and pipelines; runs nothing."""
