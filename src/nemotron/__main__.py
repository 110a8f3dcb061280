"""`nemotron` and `python -m nemotron`."""


def main() -> None: ...
