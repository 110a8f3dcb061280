"""`nemotron` and `python -m nemotron`."""

from nemotron.cli.app import main

if __name__ == "__main__":
    main()
