"""Tests of nemotron.catalog."""
