"""Tiny COMET checkpoints from code, and upstream's own scores of them.

A script for an interpreter that has unbabel-comet; it imports nothing of ours and needs no hub.

    tiny_comet.py build FOLDER             regression, referenceless, unified, xcomet, headless
                                           (regression without its head) and pickled (with code)
    tiny_comet.py predict CHECKPOINT       [{"src", "mt", "ref"?}, ...] on stdin, scores on stdout
"""

from __future__ import annotations

import json
import os
import random
import sys
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1")

# "ligatures" and full-width letters: the tokenizer's normalizer must be at work.
ALPHABET = "abcdefghijklmnopqrstuvwxyzäöüéèñç .,!?'-0123456789"
COMMON: dict[str, Any] = {
    "load_pretrained_weights": False,
    "local_files_only": True,
    "nr_frozen_epochs": 0.3,
    "dropout": 0.1,
    "batch_size": 4,
    "train_data": [],
    "validation_data": [],
    "layer_transformation": "sparsemax",
    "layer_norm": False,
    "hidden_sizes": [48, 24],
}
POOLED = {"encoder_model": "XLM-RoBERTa", "pool": "avg", "layer": "mix"}
UNIFIED = {"sent_layer": "mix", "word_layer": 2}
MODELS: dict[str, tuple[str, dict[str, Any]]] = {
    "regression": ("regression_metric", POOLED),
    "referenceless": ("referenceless_regression_metric", POOLED),
    "unified": (
        "unified_metric",
        {
            **UNIFIED,
            "encoder_model": "XLM-RoBERTa",
            "layer_norm": True,
            "layer_transformation": "sparsemax_patch",  # as wmt22-cometkiwi-da
            "input_segments": ["mt", "src"],
            "word_level_training": False,
        },
    ),
    "xcomet": (
        "xcomet_metric",
        {
            **UNIFIED,
            "encoder_model": "XLM-RoBERTa-XL",
            "word_level_training": True,
            "error_labels": ["minor", "major", "critical"],
            "cross_entropy_weights": [0.08, 0.486, 0.505, 0.533],
        },
    ),
}


def tokenizer() -> Any:
    """XLM-R's kind, with a piece for each letter and some pairs of letters."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
    from transformers import XLMRobertaTokenizerFast

    rng = random.Random(0)
    pairs = sorted({"".join(rng.choices(ALPHABET[:26], k=2)) for _ in range(60)})
    pieces = ["\u2581", *ALPHABET.replace(" ", ""), *pairs]
    vocabulary = [("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)]
    vocabulary += [(piece, -3.0 - 0.01 * rank) for rank, piece in enumerate(pieces)]
    core = Tokenizer(models.Unigram([*vocabulary, ("<mask>", 0.0)], unk_id=3))
    core.normalizer = normalizers.NFKC()
    core.pre_tokenizer = pre_tokenizers.Metaspace("\u2581", prepend_scheme="always")
    core.decoder = decoders.Metaspace("\u2581", prepend_scheme="always")
    core.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[("<s>", 0), ("</s>", 2)],
    )
    return XLMRobertaTokenizerFast(tokenizer_object=core, model_max_length=128)


def encoder(folder: Path, kind: Any) -> None:
    """Configuration and tokenizer; COMET's checkpoint holds the weights."""
    words = tokenizer()
    kind(
        vocab_size=len(words),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=130,
        type_vocab_size=1,
        pad_token_id=1,
        bos_token_id=0,
        eos_token_id=2,
        layer_norm_eps=1e-5,
    ).save_pretrained(folder)
    words.save_pretrained(folder)


def build(folder: Path) -> None:
    import torch
    import yaml
    from comet.models import str2model
    from transformers import XLMRobertaConfig, XLMRobertaXLConfig

    encoder(folder / "XLM-RoBERTa", XLMRobertaConfig)
    encoder(folder / "XLM-RoBERTa-XL", XLMRobertaXLConfig)
    for name, (kind, own) in MODELS.items():
        settings = {**COMMON, **own, "pretrained_model": str(folder / own["encoder_model"])}
        torch.manual_seed(7)
        model = str2model[kind](**settings).eval()
        with torch.no_grad():  # the usual width makes all scores nearly equal
            for parameter, weight in model.named_parameters():
                if parameter.startswith("encoder.") and weight.dim() >= 2:
                    weight.normal_(0, 0.25)
                if parameter.startswith("hidden2tag"):  # so that there are error spans
                    weight.normal_(0, 1.0)
        content = {
            "state_dict": model.state_dict(),
            "hyper_parameters": settings,
            "pytorch-lightning_version": "2.6.6",
            "epoch": 0,
            "global_step": 0,
        }
        hparams = yaml.safe_dump({**settings, "class_identifier": kind})
        save(folder / name, content, hparams)
        if name == "regression":
            state = content["state_dict"]
            body = {key: state[key] for key in state if not key.startswith("estimator")}
            save(folder / "headless", {**content, "state_dict": body}, hparams)
            save(folder / "pickled", {**content, "callbacks": Code(folder / "ran")}, hparams)


def save(folder: Path, content: dict[str, Any], hparams: str) -> None:
    import torch

    (folder / "checkpoints").mkdir(parents=True)
    torch.save(content, folder / "checkpoints" / "model.ckpt")
    (folder / "hparams.yaml").write_text(hparams)


class Code:
    """Unpickling it makes a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.folder),)


def predict(checkpoint: str) -> None:
    from comet import load_from_checkpoint

    model = load_from_checkpoint(checkpoint, local_files_only=True)
    rows = json.load(sys.stdin)
    found = model.predict(rows, batch_size=8, gpus=0, progress_bar=False)
    print(json.dumps(found.scores))


if __name__ == "__main__":
    command, argument = sys.argv[1:]
    build(Path(argument)) if command == "build" else predict(argument)
