"""A stand-in for AssemblyAI over HTTP: transcripts and webhooks, speaker identification, LLM Gateway.

It answers in the shapes that the live service answers in. A recording is known by the SHA-256 of its sound: the sample
calls of `tests/data/calls`, and what a test teaches it.
"""

from tests.sandbox.assemblyai.server import AssemblyAI, serve_forever
from tests.sandbox.assemblyai.transcripts import Account

__all__ = ["Account", "AssemblyAI", "serve_forever"]
