"""What these tests share: the fake steps, chat records, compiled modules."""

from catalogs.helpers import bytecode, chat, fake_steps

__all__ = ["bytecode", "chat", "fake_steps"]
