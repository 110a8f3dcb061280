"""Tests of nemotron.execution."""
