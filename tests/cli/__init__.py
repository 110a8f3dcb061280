"""Tests of nemotron.cli."""
