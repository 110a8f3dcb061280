"""Tests of nemotron.hardware."""
