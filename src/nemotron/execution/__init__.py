"""Doing it: the run store, keys, locks, the job's process. Writes to `.nemotron/` and the outputs."""
