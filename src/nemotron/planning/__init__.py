"""What to do: a step bound to its inputs, and the pipeline file. Reads artifacts; runs nothing."""
