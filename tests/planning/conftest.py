"""What these tests share: a small catalog, files of every kind."""

from at_hand import at_hand
from small import small

__all__ = ["at_hand", "small"]
