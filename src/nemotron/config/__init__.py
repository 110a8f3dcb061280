"""What a run is asked to do: YAML with the place of every key, layers, overrides, interpolation."""
