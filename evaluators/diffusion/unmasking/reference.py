"""The clairvoyant of ``diffusion``: it has seen what full decoding makes of the text."""

from __future__ import annotations

from evaluators.diffusion.decoding import Decoding
from evaluators.diffusion.full import decoded
from evaluators.diffusion.problem import Log, parse
from evaluators.task import Instance


def clairvoyant(instance: Instance) -> bytes:
    """The event log of the decoding that unmasks in each pass all positions whose most probable token is that of
    full decoding, or the most probable position where there is none. It gives the text of full decoding, but for
    what follows a pass of the second kind."""
    model, prompt = parse(instance.payload)
    wanted = decoded(model, prompt[None])[0]
    text = Decoding(model, prompt)
    while not text.done:
        text.look()
        agreeing = text.masked & (text.reading.best == wanted)
        text.unmask(agreeing if agreeing.any() else text.most_probable())
    return Log(text.passes, 0, 0, text.when, text.tokens).to_bytes()
