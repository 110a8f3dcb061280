"""The libraries that do the work. Used only inside a job process; imports nothing of the command line."""
