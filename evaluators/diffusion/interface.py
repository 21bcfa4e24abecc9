"""What a decoding policy sees, as the interface's arguments. The same for all tasks of the family."""

from __future__ import annotations

from evaluators.task import Interface, Value


def _share(name: str, description: str) -> Value:
    return Value(name, "array", "float64", description, unit="share", low=0, high=1, length="n")


VIEW = (
    Value("masked", "mask", "bool", "whether each position is still masked", length="n"),
    _share("probability", "probability of the most probable token at each position"),
    Value("margin", "array", "float64", "highest minus second highest logit at each position", unit="logit", low=0,
          length="n"),
    _share("standing", "the share of this model's usual margins that are smaller than the margin of each position"),
    Value("entropy", "array", "float64", "entropy of the distribution at each position", unit="nat", low=0, length="n"),
    Value("drift", "array", "float64", "divergence of each distribution from that of the pass before; 0 in the first",
          unit="nat", low=0, length="n"),
    _share("before", "probability of the most probable token one pass earlier; 0 in the first"),
    Value("run", "array", "int64", "passes in a row in which the same token was the most probable one", unit="passes",
          low=1, length="n"),
    Value("ending", "mask", "bool", "whether the most probable token says that the text has ended", length="n"),
    _share("place", "where each position is: 0 the first, 1 the last of the answer"),
    Value("step", "scalar", "int64", "which forward pass this is, from 1", unit="passes", low=1),
    Value("total", "scalar", "int64", "forward passes of full decoding", unit="passes", low=1),
)  # fmt: skip
"""In the order of :meth:`evaluators.diffusion.reading.Looking.look`."""

FACTS = (
    "A model fills in a text of n masked positions. Each forward pass gives a distribution for every position; "
    "what is unmasked is final and helps the next pass. Where several texts would be right, positions that are "
    "filled in together may belong to different ones.",
    "The score is full decoding's forward passes divided by yours, averaged geometrically over texts and "
    "families of texts.",
    "It counts only when the quality is kept: over all texts at least 98 % of that of full decoding (lower end of a "
    "one-sided 95 % bootstrap interval), and at least 96 % in each family that full "
    "decoding answers in half of the cases or more.",
    "Positions after the text's end are part of it: they are masked, and ready early.",
    "Full decoding unmasks the most probable position in each pass. The module is loaded anew for each text.",
    "At positions that are no longer masked the numbers are the model's as well, but mean little.",
    "The arrays are read-only: compute new ones. The first pass has step 1; progress is step / total.",
)

STOP = Interface(
    function="stop",
    summary=(
        "Return whether decoding may stop now. Then the most probable tokens of this pass fill all that is still "
        "masked. Few forward passes win, as long as the texts stay as good as those of full decoding."
    ),
    arguments=VIEW,
    returns=Value("over", "scalar", "bool", "whether to stop"),
    facts=FACTS,
    absent="decoding goes on until nothing is masked.",
)  # fmt: skip
