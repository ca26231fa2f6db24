"""The tiny recipe's model: 1.5 million random weights, and a tokenizer learned from the drawings.

Its vision tower can be warmed up on what the generator drew, as a stand-in for a pretrained one.
The sizes learned in five minutes on two cores: docs/training.md.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any

import torch
from torch import nn
from torch.nn import functional

from towereval.train import drawings, drawn, phrases
from towereval.train.assemble import CHAT_TEMPLATE
from towereval.train.data import pixels_of
from towereval.train.model import freeze, rate_share
from towereval.train.packing import Encoder
from towereval.train.recipe import TinyModel

SPECIAL_TOKENS = ("<pad>", "<eos>", "<bos>", "<unk>", "<start_of_turn>", "<end_of_turn>", "<image>")
ENDS = {"pad_token_id": 0, "eos_token_id": 1, "bos_token_id": 2}
SIDE, PATCH, WIDTH, VOCABULARY = drawings.SIDE, 12, 128, 1024
PINPOINTS = [[SIDE, SIDE], [SIDE, 2 * SIDE], [2 * SIDE, SIDE], [2 * SIDE, 2 * SIDE]]


def build(seed: int) -> tuple[Any, Any]:
    """Model and processor; the global random state is as before."""
    from transformers import GenerationConfig, LlavaNextForConditionalGeneration

    processor = build_processor()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        # sdpa, transformers' default, leaves out the attention's softcap and does not say so.
        model = LlavaNextForConditionalGeneration._from_config(
            _config(), attn_implementation="eager"
        ).float()
        # transformers leaves the embedding at its own small size, and Gemma2 scales it up.
        nn.init.normal_(model.get_input_embeddings().weight, std=0.1)
        with torch.no_grad():
            model.get_input_embeddings().weight[ENDS["pad_token_id"]].zero_()
            for name, parameter in model.named_parameters():
                if "post_attention_layernorm" in name or "post_feedforward_layernorm" in name:
                    parameter.fill_(-0.8)  # Gemma's norms scale by 1 + w: branches start small
    end_of_turn = SPECIAL_TOKENS.index("<end_of_turn>")
    model.generation_config = GenerationConfig(
        do_sample=False, **{**ENDS, "eos_token_id": [ENDS["eos_token_id"], end_of_turn]}
    )
    return model, processor


def build_processor() -> Any:
    from transformers import LlavaNextImageProcessor, LlavaNextProcessor

    images = LlavaNextImageProcessor(
        size={"shortest_edge": SIDE},
        crop_size={"height": SIDE, "width": SIDE},
        image_grid_pinpoints=PINPOINTS,
        image_mean=[0.5] * 3,
        image_std=[0.5] * 3,
    )
    return LlavaNextProcessor(
        image_processor=images,
        tokenizer=_tokenizer(),
        patch_size=PATCH,
        vision_feature_select_strategy="full",
        image_token="<image>",
        num_additional_image_tokens=0,
        chat_template=CHAT_TEMPLATE,
    )


def warm_up_tower(model: Any, encoder: Encoder, setting: TinyModel, seed: int) -> Iterator[float]:
    """Teach the tower what stands where: shapes, colours, icons, letters. Yields each step's loss.

    Through a linear head on all its features, which is thrown away.
    """
    freeze(model, ["vision"])
    tower = model.model.vision_tower
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        head = nn.Linear((SIDE // PATCH) ** 2 * WIDTH, sum(_CLASSES))
    moving = [p for p in tower.parameters() if p.requires_grad] + list(head.parameters())
    rule = torch.optim.AdamW(moving, betas=(0.9, 0.98), weight_decay=0.01, foreach=True)
    for step in range(setting.tower_steps):
        for group in rule.param_groups:
            share = rate_share(step, setting.tower_steps, 0.1, 0.1)
            group["lr"] = setting.tower_learning_rate * share
        random = Random(f"tower {seed} {step}")
        tiles, labels = zip(*(_labelled(random) for _ in range(setting.tower_batch)), strict=True)
        pixels, _ = encoder.pixels(tiles)
        pixels, labels_BL = pixels[:, 0], torch.tensor(labels)
        with torch.autocast("cpu", torch.bfloat16):
            features = tower(pixels, output_hidden_states=True).hidden_states[-2]
            logits = head(features.flatten(1)).float()
        loss = torch.stack(
            [
                functional.cross_entropy(part, labels_BL[:, i], ignore_index=-1, reduction="sum")
                / (labels_BL[:, i] >= 0).sum().clamp(min=1)
                for i, part in enumerate(logits.split(_CLASSES, dim=1))
            ]
        ).mean()
        rule.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(moving, 1.0)
        rule.step()
        yield float(loss.detach())


# Colour and shape at five places (the last class: nothing there), the icon, four letters.
_PLACES = {"beside": (0, 1), "above": (2, 3), "alone": (4,)}
_CLASSES = [7] * 10 + [2 * len(phrases.AMBIGUOUS)] + [len(drawings.LETTERS) + 1] * 4


def _labelled(random: Random) -> tuple[Any, list[int]]:
    """A tile of training pictures and what is in it; -1 is not asked."""
    labels = [-1] * len(_CLASSES)
    kind = random.random()
    if kind < 0.45:
        arrangement, things = drawn.scene(random, held_out=False)
        labels[:10] = [6] * 10
        for place, (colour, shape) in zip(_PLACES[arrangement], things, strict=True):
            labels[2 * place] = sorted(phrases.COLOURS).index(colour)
            labels[2 * place + 1] = sorted(phrases.NOUNS).index(shape)
        return drawings.scene(random, arrangement, things), labels
    if kind < 0.6:
        word, sense = random.choice(sorted(phrases.AMBIGUOUS)), random.randrange(2)
        labels[10] = 2 * sorted(phrases.AMBIGUOUS).index(word) + sense
        return drawings.icon(random, word, sense), labels
    record = drawn.record("words", random.randrange(2**31), 0)
    picture = pixels_of(record.pictures[0])
    letters = [drawings.LETTERS.index(letter) for letter in record.turns[-1].text]
    letters += [len(drawings.LETTERS)] * (4 - len(letters))
    if random.random() < 0.5:  # the whole word, as small as the first tile shows it
        labels[11:] = letters
        return _thumbnail(picture), labels
    half = random.randrange(2)
    labels[11:13] = letters[2 * half : 2 * half + 2]
    return picture[:, half * SIDE : (half + 1) * SIDE], labels


def _thumbnail(picture: Any) -> Any:
    import numpy as np
    from PIL import Image

    return np.array(Image.fromarray(picture).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def _config() -> Any:
    from transformers import Gemma2Config, LlavaNextConfig, SiglipVisionConfig

    vision = SiglipVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=256,
        num_hidden_layers=4,
        num_attention_heads=4,
        image_size=SIDE,
        patch_size=PATCH,
        vision_use_head=False,
    )
    text = Gemma2Config(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=384,
        num_hidden_layers=4,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=32,  # the smallest that vLLM's CPU attention has
        query_pre_attn_scalar=32,
        sliding_window=512,
        max_position_embeddings=2048,
        attn_logit_softcapping=50.0,
        final_logit_softcapping=30.0,
        initializer_range=0.06,
        tie_word_embeddings=True,
        **ENDS,
    )
    config = LlavaNextConfig(
        vision_config=vision,
        text_config=text,
        image_token_index=SPECIAL_TOKENS.index("<image>"),
        vision_feature_select_strategy="full",  # SigLIP has no class token to drop
        vision_feature_layer=-2,
        image_grid_pinpoints=PINPOINTS,
        image_seq_length=(SIDE // PATCH) ** 2,
        projector_hidden_act="gelu",
        tie_word_embeddings=True,
    )
    config.initializer_range = 0.06
    config.pad_token_id = ENDS["pad_token_id"]
    return config


def _tokenizer(tokens: Sequence[str] = SPECIAL_TOKENS) -> Any:
    """Byte pairs learned from training examples."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    kinds = ("caption", "translation", "ambiguous", "choice", "clips")
    records = (drawn.record(kind, 0, index) for kind in kinds for index in range(1000))
    texts = [turn.text for record in records for turn in record.turns]
    texts += [*phrases.READ.values()] * 20 + ["user\n", "model\n"] * 20
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=VOCABULARY,
            special_tokens=list(tokens),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            show_progress=False,
        ),
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        eos_token="<eos>",
        bos_token="<bos>",
        unk_token="<unk>",
        padding_side="left",
        model_max_length=2048,
        extra_special_tokens={"image_token": "<image>"} if "<image>" in tokens else {},
        chat_template=CHAT_TEMPLATE,
    )
