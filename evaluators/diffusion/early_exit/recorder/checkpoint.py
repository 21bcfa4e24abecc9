"""A checkpoint in a local folder, without its weights: the mask, prompts and texts.

Two call shapes are known. LLaDA's model gives the logits for each position at that position, Dream's (adapted from
an autoregressive model) one place before it. Other models that transformers knows as masked language models are
called like LLaDA. Nothing is fetched, and a checkpoint's own code runs only where the recipe trusts it.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from evaluators.diffusion.early_exit.recorder.decoding import import_torch, refusal
from evaluators.recordable import Recipe
from evaluators.task import Missing, TaskError

Array = npt.NDArray[Any]

SHIFTED = "dream"
"""The model type, in lower case, whose logits are one place before their position."""
NO_END = -1

WEIGHTS = "*.safetensors"
WORDS = ("tokenizer*.json", "chat_template*", "special_tokens_map.json", "added_tokens.json", "vocab*", "merges.txt",
         "*.model", "*.tiktoken")  # fmt: skip
"""Files of tokenizers: what prompts and texts become depends on them."""
PIECES, PIECE_BYTES, MOST_TABLE = 16, 2**16, 2**24
"""Of a file of weights: what is read to know it again."""


@dataclass(frozen=True)
class Checkpoint:
    """What a folder says without its weights. ``mask`` and ``end`` are tokens (NO_END: there is none), ``ends`` all
    tokens that end a text, ``shift`` whether logits are one place before their position, ``places`` how many positions
    the model has (None: unknown)."""

    tokenizer: Any
    mask: int
    end: int
    ends: frozenset[int]
    shift: bool
    chat: bool
    places: int | None

    def prompt(self, text: str) -> Array:
        """The tokens of a prompt, int64. Raises TaskError where the tokenizer fails or gives none."""
        try:
            if self.chat:
                asked = [{"role": "user", "content": text}]
                text = self.tokenizer.apply_chat_template(asked, tokenize=False, add_generation_prompt=True)
            found = self.tokenizer(text, add_special_tokens=not self.chat)["input_ids"]
        except Exception as error:  # templates are code of the checkpoint
            raise refusal(error, "the tokenizer fails on the prompt") from error
        if not found:
            raise TaskError("the tokenizer makes no token of the prompt")
        return np.asarray(found, dtype=np.int64)

    def text(self, tokens: Array) -> str:
        """What the tokens of a span say: all before the first one that ends a text. Raises TaskError where the
        tokenizer fails."""
        ending = np.flatnonzero(np.isin(tokens, list(self.ends)))
        kept = tokens[: ending[0]] if len(ending) else tokens
        try:
            return str(
                self.tokenizer.decode(
                    kept.tolist(), skip_special_tokens=True, clean_up_tokenization_spaces=False
                )
            )
        except Exception as error:  # tokenizers may be code of the checkpoint
            raise refusal(error, f"the tokenizer fails on a text of {len(kept)} tokens") from error


def read(folder: Path, recipe: Recipe) -> Checkpoint:
    """The checkpoint of a folder, as far as its small files tell of it. Raises TaskError with what is wrong, Missing
    for packages that this machine does not have."""
    said = settings(folder)
    transformers = import_transformers()
    kind = str(said.get("model_type"))
    if said.get("auto_map") and not recipe.trust and kind not in transformers.CONFIG_MAPPING:
        raise TaskError(
            f"{folder} brings code of its own, without which it cannot be loaded; read it, and add --trust-remote-code "
            "to run it with your rights"
        )
    local = {"local_files_only": True, "trust_remote_code": recipe.trust}
    config = foreign(folder, transformers.AutoConfig.from_pretrained, str(folder), **local)
    tokenizer = foreign(folder, transformers.AutoTokenizer.from_pretrained, str(folder), **local)
    template = bool(getattr(tokenizer, "chat_template", None))
    if recipe.chat and not template:
        raise TaskError(f"the tokenizer of {folder} has no chat template; leave --chat out")
    end, ends = _ends(config, tokenizer)
    return Checkpoint(
        tokenizer=tokenizer,
        mask=_mask(folder, recipe, config, tokenizer),
        end=end,
        ends=ends,
        shift=kind.lower() == SHIFTED if recipe.shift is None else recipe.shift,
        chat=template if recipe.chat is None else recipe.chat,
        places=_number(config, "max_position_embeddings") or _number(config, "max_sequence_length"),
    )


def settings(folder: Path) -> dict[str, Any]:
    """The checkpoint's config.json. Raises TaskError."""
    path = folder / "config.json"
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise TaskError(
            f"{path} cannot be read ({error.strerror}); expected the folder of a checkpoint, downloaded before"
        ) from None
    except (ValueError, RecursionError) as error:
        raise TaskError(f"{path} is not JSON ({error})") from None
    if not isinstance(found, dict):
        raise TaskError(f"{path} holds no object; expected the settings of a checkpoint")
    return found


def fingerprint(folder: Path) -> str:
    """What tells checkpoints apart without reading all of their weights: SHA-256 of config.json, of the tokenizer's
    files, and of a sample of each file of weights. Raises TaskError."""
    found = hashlib.sha256(json.dumps(settings(folder), sort_keys=True).encode())
    paths = {path for pattern in (WEIGHTS, *WORDS) for path in folder.glob(pattern)}
    for path in sorted(path for path in paths if not path.is_dir()):
        try:
            found.update(f"\0{path.name}\0{path.stat().st_size}\0".encode())
            for part in _sample(path) if path.match(WEIGHTS) else [path.read_bytes()]:
                found.update(part)
        except OSError as error:
            raise TaskError(
                f"{path} cannot be read ({error.strerror or error}); expected a checkpoint downloaded as a whole"
            ) from None
    return found.hexdigest()


def _sample(path: Path) -> Iterator[bytes]:
    """A small file of weights as a whole, else its table of tensors and pieces from its beginning to its end."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= PIECES * PIECE_BYTES:
            yield file.read()
            return
        table = int.from_bytes(file.read(8), "little")
        yield file.read(min(table, MOST_TABLE))
        for number in range(PIECES):
            file.seek(number * (size - PIECE_BYTES) // (PIECES - 1))
            yield file.read(PIECE_BYTES)


def import_transformers() -> Any:
    """The package transformers, told to ask no one. Raises Missing."""
    import_torch()
    os.environ.setdefault("HF_HUB_OFFLINE", "1")  # the checkpoint is here: no library need ask elsewhere
    try:
        import transformers
    except ImportError as error:
        raise Missing(f"recording needs transformers ({error}); install the extra `hf`") from None
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    return transformers


def foreign(folder: Path, call: Any, *args: Any, **named: Any) -> Any:
    """What a function of transformers gives. Raises TaskError for whatever it raises: its families of errors are many,
    and a checkpoint's own code adds to them."""
    try:
        return call(*args, **named)
    except Exception as error:
        raise refusal(error, f"{folder} cannot be loaded") from error


def _mask(folder: Path, recipe: Recipe, config: Any, tokenizer: Any) -> int:
    for found in (
        recipe.mask,
        _number(config, "mask_token_id"),
        _number(tokenizer, "mask_token_id"),
    ):
        if found is not None:
            known = _number(config, "vocab_size")
            if known is not None and found >= known:
                raise TaskError(
                    f"the mask token is {found}, but the model knows the tokens 0 to {known - 1}; "
                    "name the right one with --mask-id"
                )
            return found
    raise TaskError(f"{folder} does not say which token the mask is; name it with --mask-id")


def _ends(config: Any, tokenizer: Any) -> tuple[int, frozenset[int]]:
    own = _number(tokenizer, "eos_token_id")
    told = getattr(config, "eos_token_id", None)
    ends = {t for t in (own, *(told if isinstance(told, list) else [told])) if isinstance(t, int) and t >= 0}
    end = own if own is not None else min(ends, default=NO_END)
    return end, frozenset(ends)


def _number(holder: Any, name: str) -> int | None:
    """A whole number not below 0 that an object of transformers may have."""
    value = getattr(holder, name, None)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
