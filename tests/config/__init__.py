"""Tests of nemotron.config."""
