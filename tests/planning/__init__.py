"""Tests of nemotron.planning."""
