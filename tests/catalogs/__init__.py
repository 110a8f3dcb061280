"""Light steps that really read and write, and what the tests that run them share."""
