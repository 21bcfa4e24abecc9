"""The weights of a checkpoint, loaded by transformers, and their forward pass. They are read from safetensors files
alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluators.diffusion.early_exit.recorder.checkpoint import (
    Array,
    Checkpoint,
    foreign,
    import_transformers,
    settings,
)
from evaluators.diffusion.early_exit.recorder.decoding import import_torch, refusal
from evaluators.recordable import Recipe
from evaluators.task import Missing, TaskError


@dataclass(frozen=True)
class Weights:
    """A model ready to answer; ``mask`` and ``shift`` as in
    :class:`evaluators.diffusion.early_exit.recorder.checkpoint.Checkpoint`."""

    model: Any
    mask: int
    shift: bool

    def logits(self, tokens: Array, span: int) -> Any:
        """One forward pass, a tensor (span, vocabulary). Raises TaskError where the model fails."""
        torch = import_torch()
        try:
            with torch.no_grad():
                asked = torch.from_numpy(tokens)[None].to(self.model.device)
                logits = self.model(input_ids=asked).logits[0]
        except Exception as error:  # it is the checkpoint's own code
            raise refusal(error, f"the model fails in a forward pass of {len(tokens)} tokens") from error
        if logits.ndim != 2 or len(logits) != len(tokens):
            raise TaskError(
                f"the model gives logits of shape {tuple(logits.shape)} for {len(tokens)} tokens; "
                "expected a row for each"
            )
        return logits[-span - 1 : -1] if self.shift else logits[-span:]


def load(folder: Path, recipe: Recipe, checkpoint: Checkpoint, device: Any) -> Weights:
    """The model of a checkpoint on a device. Raises TaskError with what is wrong, Missing for lack of memory."""
    own = settings(folder).get("auto_map")
    model = _model(
        import_transformers(), folder, recipe, own if recipe.trust and isinstance(own, dict) else {}
    )
    return Weights(foreign(folder, model.to, device).eval(), checkpoint.mask, checkpoint.shift)


def device_of(name: str) -> Any:
    """The device of PyTorch that a recipe names. Raises TaskError, and Missing where there is none such here."""
    torch = import_torch()
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TaskError(f"--device is {name!r}; expected auto, cpu, cuda or cuda:1") from None
    if device.type not in ("cpu", "cuda"):
        raise TaskError(f"--device is {name!r}; expected auto, cpu, cuda or cuda:1")
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise Missing(f"--device is {name!r}, but PyTorch sees {torch.cuda.device_count()} such devices here")
    return device


def _model(transformers: Any, folder: Path, recipe: Recipe, own: dict[str, Any]) -> Any:
    """The model with all its weights, of a class that it brings itself (``own``, by the name of transformers' class
    that stands for it) or that transformers has. Raises TaskError."""
    torch = import_torch()
    names = ("AutoModelForMaskedLM", "AutoModelForCausalLM", "AutoModel")  # the last may be without a head
    name = next((n for n in names if n in own), "AutoModelForMaskedLM")
    precise = "dtype" if int(transformers.__version__.split(".")[0]) >= 5 else "torch_dtype"
    model, told = foreign(
        folder,
        getattr(transformers, name).from_pretrained,
        str(folder),
        local_files_only=True,
        trust_remote_code=recipe.trust,
        use_safetensors=True,
        output_loading_info=True,
        **{precise: getattr(torch, recipe.precision)},
    )
    missing = sorted(told["missing_keys"])
    if missing:
        raise TaskError(
            f"{folder} lacks weights of the model, among them {missing[0]!r}; what they would say is chance"
        )
    return model
