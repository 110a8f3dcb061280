"""Tests of nemotron.profiles."""
