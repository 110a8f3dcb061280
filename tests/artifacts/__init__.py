"""Tests of nemotron.artifacts."""
