"""nemotron: plan, check and run the customisation of language models.

This package file imports nothing: a job process imports `nemotron.backends` under another library's
Python, where the command line's own dependencies do not exist.
"""

__version__ = "0.1.0"
