"""What these tests share: a small catalog."""

from small import small

__all__ = ["small"]
