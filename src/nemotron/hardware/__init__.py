"""What a run has to run on. Asks the operating system and the GPU driver."""
