"""What these tests share: the fake steps, chat records, a pipeline, compiled modules."""

from catalogs.helpers import bytecode, chat, fake_steps
from catalogs.pipelines import branches

__all__ = ["branches", "bytecode", "chat", "fake_steps"]
