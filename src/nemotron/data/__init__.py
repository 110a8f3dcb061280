"""Reading and writing training data. Used only inside a job process; imports nothing of the command line."""
