"""The main job on real input: one quick start, whose results every test here reads."""
