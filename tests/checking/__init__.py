"""Tests of nemotron.checking."""
