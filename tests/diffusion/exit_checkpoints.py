"""Small checkpoints on disk, with random weights and the call shapes of LLaDA, Dream and BERT."""

from __future__ import annotations

import importlib
import json
import os
from pathlib import Path
from typing import Any

import pytest


def required(name: str) -> Any:
    """The package. Without it the module that imports this one is skipped; where REQUIRE_TORCH is set, that is a
    failure."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        if os.environ.get("REQUIRE_TORCH"):
            raise
        pytest.skip(f"the extra `hf` is not installed ({error})", allow_module_level=True)


torch, transformers = required("torch"), required("transformers")
torch.set_num_threads(1)  # threads that wait for each other on a busy machine cost more than these models do

WORDS = ("0", "1", "2", "3", "4", "5", "6", "7", "yes", "no", "up", "down")
SPECIAL = ("<eos>", "<mask>", "<unk>", "<user>", "<end>")
TOKENS = (*SPECIAL, *WORDS)
EOS, MASK = TOKENS.index("<eos>"), TOKENS.index("<mask>")
VOCABULARY = len(TOKENS) + 3
"""Of the models: like real ones they know some tokens more than the tokenizer."""
PLACES = 64
TEMPLATE = "{% for m in messages %}<user> {{ m['content'] }} <end>{% endfor %}"

CONFIGURATION = """
from transformers import PretrainedConfig


class TinyConfig(PretrainedConfig):
    model_type = "{kind}"

    def __init__(self, width=16, layers=2, places=64, vocab_size=20, mask_token_id=None, **rest):
        super().__init__(**rest)
        self.width, self.layers, self.vocab_size = width, layers, vocab_size
        self.max_sequence_length = places
        self.mask_token_id = mask_token_id
"""

MODEL = '''
import torch
from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_outputs import MaskedLMOutput

from .configuration_tiny import TinyConfig


class TinyModel(PreTrainedModel):
    """Attention over all positions, without order: both sides of each position count."""

    config_class = TinyConfig
    base_model_prefix = "model"

    def __init__(self, config):
        super().__init__(config)
        wide = config.width
        self.words = nn.Embedding(config.vocab_size, wide)
        self.where = nn.Embedding(config.max_sequence_length, wide)
        self.mix = nn.ModuleList([nn.Linear(wide, 3 * wide) for _ in range(config.layers)])
        self.head = nn.Linear(wide, config.vocab_size)
        self.post_init()

    def _init_weights(self, module):
        pass

    def forward(self, input_ids, attention_mask=None, **rest):
        x = self.words(input_ids) + self.where(torch.arange(input_ids.shape[1], device=input_ids.device))
        for layer in self.mix:
            q, k, v = layer(x).chunk(3, -1)
            share = torch.softmax(q @ k.transpose(1, 2) / q.shape[-1] ** 0.5, -1)
            x = torch.tanh(x + share @ v)
        logits = self.head(x)
        if self.config.model_type == "Dream":  # those for a position are found one place before it
            logits = torch.roll(logits, -1, 1)
        return MaskedLMOutput(logits=logits)
'''


def own_code(folder: Path, kind: str, *, mask: int | None = MASK, chat: bool = False) -> Path:
    """A checkpoint that brings its code, of the model type ``llada`` or ``Dream``: the same weights for both."""
    from safetensors.torch import save_file

    folder.mkdir()
    (folder / "configuration_tiny.py").write_text(CONFIGURATION.replace("{kind}", kind))
    (folder / "modeling_tiny.py").write_text(MODEL)
    config = {
        "model_type": kind,
        "architectures": ["TinyModel"],
        "auto_map": {
            "AutoConfig": "configuration_tiny.TinyConfig",
            "AutoModel": "modeling_tiny.TinyModel",
        },
        "vocab_size": VOCABULARY,
        "places": PLACES,
        "mask_token_id": mask,
        "eos_token_id": EOS,
    }
    (folder / "config.json").write_text(json.dumps(config))
    generator = torch.Generator().manual_seed(7)
    sizes = {"words.weight": (VOCABULARY, 16), "where.weight": (PLACES, 16), "head.weight": (VOCABULARY, 16),
             "head.bias": (VOCABULARY,)}  # fmt: skip
    for layer in range(2):
        sizes |= {f"mix.{layer}.weight": (48, 16), f"mix.{layer}.bias": (48,)}
    weights = {name: torch.randn(size, generator=generator) for name, size in sizes.items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    tokenizer(folder, chat=chat, mask=False)
    return folder


def bert(folder: Path) -> Path:
    """A checkpoint whose class transformers has; the mask is told by the tokenizer alone."""
    torch.manual_seed(3)
    config = transformers.BertConfig(
        vocab_size=VOCABULARY, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16,
        max_position_embeddings=PLACES, initializer_range=1.0,
    )  # fmt: skip
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    tokenizer(folder, chat=False, mask=True)
    return folder


def tokenizer(folder: Path, *, chat: bool, mask: bool) -> None:
    """Save a tokenizer of whole words into a folder."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({w: k for k, w in enumerate(TOKENS)}, unk_token="<unk>"))
    words.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    named: dict[str, Any] = {"mask_token": "<mask>"} if mask else {}
    made = transformers.PreTrainedTokenizerFast(
        tokenizer_object=words, eos_token="<eos>", unk_token="<unk>", **named
    )
    if chat:
        made.chat_template = TEMPLATE
    made.save_pretrained(folder)
