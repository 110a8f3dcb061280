"""One module for each library whose config keys are recorded; each has `PACKAGE` and `schema(sources)`."""
