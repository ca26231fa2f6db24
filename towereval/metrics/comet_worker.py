"""Scores translations with a COMET model, in the environment that `towereval setup comet` makes.

Run by path under that environment's interpreter, so it imports nothing of towereval; and with -I,
without which the comet.py beside it would stand in for upstream's package.

    comet_worker.py identify MODEL                      one line: where the checkpoint is, versions
    comet_worker.py score CHECKPOINT DTYPE REFERENCES   a line once the model is loaded, then for
        each line [[source, translation, reference], ...] one of {"scores": [...], "cut": how many
        of them were longer than the model reads}; the end of the input ends it

A line {"error": text} says what went wrong. The model is upstream's own; only what surrounds it is
ours: `predict` needs Lightning, gives nothing before its end, and loads a checkpoint without its
head as random numbers.
"""

from __future__ import annotations

import importlib
import inspect
import json
import logging
import math
import os
import re
import sys
import warnings
from importlib import metadata
from pathlib import Path
from typing import Any, TextIO

CLASSES = (
    *("regression_metric", "referenceless_regression_metric"),
    *("unified_metric", "xcomet_metric"),
)
PACKAGES = ("unbabel-comet", "torch", "transformers")
# Kept in a checkpoint or in a model by some versions of the libraries only, and read by none when
# it scores: the buffers of embeddings, of dropout and of the training loss.
UNREAD = ("position_ids", "token_type_ids", "dropout_mask", "dropout_fill", "wordloss.weight")


class Refused(Exception):
    """What is wrong with the model or with its use."""


def main(arguments: list[str]) -> None:
    out = _own_output()
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    try:
        if arguments[0] == "identify":
            _say(out, identify(arguments[1]))
        else:
            serve(out, Path(arguments[1]), dtype=arguments[2], references=arguments[3] == "yes")
    except Refused as reason:
        _say(out, {"error": str(reason)})
    except Exception as error:  # noqa: BLE001 - whatever the libraries raise, our parent reports it
        _say(out, {"error": f"{type(error).__name__}: {error}"})


def _own_output() -> TextIO:
    """What was stdout; from now on what libraries print goes to stderr."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    return out


def _say(out: TextIO, message: dict[str, Any]) -> None:
    print(json.dumps(message), file=out, flush=True)


def identify(model: str) -> dict[str, Any]:
    versions = {}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            return {"missing": name}
    return {"checkpoint": str(find(model)), "versions": versions}


def find(model: str) -> Path:
    """The .ckpt file of a hub id, of a folder laid out as on the hub, or of a path to the file."""
    folder = Path(model)
    if folder.is_file():
        return folder.absolute()
    if not folder.is_dir():
        if folder.is_absolute() or model.startswith(".") or model.count("/") != 1:
            raise Refused(f"{model}: no such file or folder")
        folder = _download(model)
    checkpoint = folder / "checkpoints" / "model.ckpt"
    if not checkpoint.is_file():
        raise Refused(f"{folder}: no checkpoints/model.ckpt, so this is no COMET model")
    return checkpoint.absolute()


def _download(model: str) -> Path:
    hub = importlib.import_module("huggingface_hub")
    try:
        # Not comet's own download: that falls back to an archive without a checksum.
        return Path(
            hub.snapshot_download(
                model, allow_patterns=["hparams.yaml", "checkpoints/model.ckpt", "encoder/*"]
            )
        )
    except Exception as error:  # the client lets errors of its HTTP library through
        reason = " ".join(str(error).split())[:160]
        raise Refused(
            f"{model} cannot be read from the hub ({type(error).__name__}: {reason}); connect to"
            f" the hub, accept the licence at https://huggingface.co/{model} and set HF_TOKEN,"
            " or give a local copy"
        ) from error


def serve(out: TextIO, checkpoint: Path, *, dtype: str, references: bool) -> None:
    torch = importlib.import_module("torch")
    model = load(checkpoint)
    _check_use(model, references)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = model.eval().to(device=device, dtype=getattr(torch, dtype))
    _say(out, {"ready": type(model).__name__, "device": device})
    for line in sys.stdin:
        # Lone surrogates, which tokenizers refuse, become "?".
        texts = [[text.encode("utf-8", "replace").decode() for text in s] for s in json.loads(line)]
        fields = ("src", "mt", "ref") if references else ("src", "mt")
        segments = [dict(zip(fields, text, strict=False)) for text in texts]
        with torch.inference_mode():
            batch = _to_device(model.prepare_for_inference(segments), device)
            scores = model.predict_step(batch)["scores"].float().tolist()
        if not all(map(math.isfinite, scores)):
            raise Refused(f"a score in {dtype} is no number")
        _say(out, {"scores": scores, "cut": count_cut(model, segments)})


def load(checkpoint: Path) -> Any:
    """As upstream's load_from_checkpoint, but no code is unpickled and no weight may lack.

    An `encoder` folder beside hparams.yaml, with the encoder's configuration and tokenizer, comes
    before the hub's.
    """
    torch = importlib.import_module("torch")
    yaml = importlib.import_module("yaml")
    folder = checkpoint.parents[1]
    try:
        published = yaml.safe_load((folder / "hparams.yaml").read_text(encoding="utf-8"))
        kind = published["class_identifier"]
    except (OSError, KeyError, TypeError, yaml.YAMLError) as error:
        raise Refused(f"{folder}/hparams.yaml does not name the model's class: {error}") from error
    if kind not in CLASSES:
        raise Refused(f"{checkpoint}: a {kind} gives no score of a translation")
    try:
        stored = torch.load(checkpoint, map_location="cpu", weights_only=True, mmap=True)
    except torch.serialization.pickle.UnpicklingError as error:
        # Its own message tells how to run the code after all.
        names = ", ".join(re.findall(r"GLOBAL ([\w.]+)", str(error))) or "unreadable"
        raise Refused(f"{checkpoint} holds more than weights, and is not read: {names}") from None
    settings = {**stored["hyper_parameters"], "load_pretrained_weights": False}
    # Upstream goes by hparams.yaml here: such models were trained with what is softmax today.
    if published.get("layer_transformation") == "sparsemax_patch":
        settings["layer_transformation"] = "softmax"
    if (folder / "encoder").is_dir():
        settings["pretrained_model"] = str(folder / "encoder")
    model = _build(importlib.import_module("comet.models").str2model[kind], settings, folder)
    missing, unknown = model.load_state_dict(stored["state_dict"], strict=False)
    wrong = [name for name in (*missing, *unknown) if not name.endswith(UNREAD)]
    if wrong:
        raise Refused(
            f"{checkpoint} does not fit its class {type(model).__name__}:"
            f" {len(set(missing) & set(wrong))} weights are missing,"
            f" {len(set(unknown) & set(wrong))} unknown, {', '.join(wrong[:3])} among them"
        )
    return model


def _build(kind: Any, settings: dict[str, Any], folder: Path) -> Any:
    known = inspect.signature(kind.__init__).parameters
    try:
        return kind(**{name: value for name, value in settings.items() if name in known})
    except Exception as error:  # a missing tokenizer shows as any of a dozen errors
        encoder = settings.get("pretrained_model", "of the class's default")
        raise Refused(
            f"the model's encoder {encoder} cannot be made ({type(error).__name__}: {error});"
            f" connect to the hub, or put its config.json and tokenizer into {folder}/encoder"
        ) from error


def _check_use(model: Any, references: bool) -> None:
    """Upstream would drop a reference silently, or score the text "None" as one."""
    name = type(model).__name__
    segments = getattr(model.hparams, "input_segments", ["src", "mt", "ref"])
    reads = name != "ReferencelessRegression" and "ref" in segments
    if references and not reads:
        raise Refused(f"this {name} reads no references: use it as reference-free")
    if not references and model.requires_references():
        raise Refused(f"this {name} needs references")


def _to_device(value: Any, device: str) -> Any:
    """Tensors within tuples and mappings; lists are offsets in the text and stay."""
    if isinstance(value, tuple):
        return tuple(_to_device(item, device) for item in value)
    if hasattr(value, "items"):
        return {name: _to_device(item, device) for name, item in value.items()}
    return value.to(device) if hasattr(value, "to") else value


def count_cut(model: Any, segments: list[dict[str, str]]) -> int:
    """How many segments upstream cuts without a word: each text alone, then the joined ones."""
    encoder, joined = model.encoder, hasattr(model, "concat_inputs")
    names = [n for n in segments[0] if not joined or n in model.hparams.input_segments]
    rows = [encoder.tokenizer([s[n] for s in segments], verbose=False).input_ids for n in names]
    count = 0
    for texts in zip(*rows, strict=True):
        alone = any(len(ids) > encoder.max_positions - 2 for ids in texts)
        separators = 2 + (len(texts) - 1) * encoder.size_separator
        together = sum(len(ids) - 2 for ids in texts) + separators
        count += alone or (joined and together > encoder.max_positions)
    return count


if __name__ == "__main__":
    main(sys.argv[1:])
