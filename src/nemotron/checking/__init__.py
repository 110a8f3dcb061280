"""What would go wrong: the rules, the codes, the rendering. Reads artifacts and the machine; changes nothing.

Each rule is a function from a bound request to diagnostics; `check.py` runs them all.
"""
