"""Megatron-Bridge, from its public packages: training, conversion, merging. Job process only."""
