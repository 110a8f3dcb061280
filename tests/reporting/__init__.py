"""Tests of nemotron.reporting."""
