"""Which published numbers mean the same as which of ours; whoever adds a paper adds rows here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Protocol:
    """Which of our numbers a published benchmark and metric is.

    `unit` is what one published point is worth in ours: 0.01 where percent meet [0, 1].
    `signature` is a part that ours must have. `doubt` is what the source leaves open.
    """

    origin: str
    benchmark: str
    metric: str
    variant: str
    ours: str
    unit: float
    signature: str = ""
    doubt: str = ""


_TABLE_11 = (
    "accuracy (benchmark not named in table; per-language fractions match ALM-Bench MCQ subset"
    " sizes)"
)
_CC_OCR = "macro_f1 (multilingual text reading subset; paper says accuracy)"
_PROMPT = "the paper does not print its prompt: its site's examples fit this variant's"
_XCOMET = "model:Unbabel/XCOMET-XL|"

# What our task is called of which a benchmark's numbers are published under another name.
TASKS = {
    "bin_mc": "babel_imagenet_mc",
    "mmbench_multilingual": "mmbench",
    "mme_multilingual": "mme",
    "pope_multilingual": "pope",
    "seed_bench_image_multilingual": "seedbench",
}

# Centurio's means are over the languages other than English.
_CENTURIO = {
    "bin_mc": "mi no te am ha zu af el ro ta hr cs nl fi hu fa pl es ja",
    "cvqa": "am arz bg bn br es fil ga hi id ig ja jv ko min mn mr ms no om pt ro ru rw si su sw ta"
    " te ur zh",
    "m3exam": "af zh it pt th vi",
    "m5_vgr": "am ber bn de fil ha hi ru sw th zu",
    "m5_vlod": "am ber bn de fil ha hi ru sw th zu",
    "marvl": "id sw ta tr zh",
    "maxm": "fr hi he ro th zh",
    "mtvqa": "ar de fr it ja ko ru th vi",
    "xgqa": "bn de id ko pt ru zh",
    "xmmmu": "ar fr hi id ja pt",
    "xvnli": "ar es fr ru",
}
_RELAXED = (
    "its own models' numbers of free answers may be by the exact rule, its baselines' are not"
)
_OTHER = "its translations are not public, the run's are others; its prompts are not printed"
_ONE_PICTURE = "the paper also asks questions with several pictures, ours those with one"

# TowerVision ran a fork of lmms-eval; the variants are those that its code and logs show. Its ViMUL
# numbers are the mean of two metrics, one judged by GPT-4o, and its CoMMuTE numbers come of a
# prompt and a masking that no variant of ours has: they have a row so that a run says what differs.
PROTOCOLS = (
    Protocol("towervision", "textvqa", "vqa_accuracy", "validation", "vqa_accuracy", 0.01),
    Protocol("towervision", "ocrbench", "accuracy", "towervision", "accuracy", 0.01),
    Protocol("towervision", "cc_ocr", _CC_OCR, "towervision", "macro_f1", 0.01),
    Protocol("towervision", "cc_ocr", "macro_f1", "towervision", "macro_f1", 0.01),
    Protocol(
        *("towervision", "alm_bench", "accuracy", "towervision", "accuracy", 0.01), doubt=_PROMPT
    ),
    Protocol(
        *("towervision", "alm_bench", _TABLE_11, "towervision", "accuracy", 0.01),
        doubt="the table does not name its benchmark: its fractions fit ALM-Bench's sizes",
    ),
    Protocol(
        *("towervision", "multi30k", "xcomet_x100", "towervision", "xcomet_xl", 0.01),
        signature=_XCOMET,
    ),
    Protocol(
        *("towervision", "commute", "contrastive_accuracy", "towervision"),
        *("contrastive_accuracy", 0.01),
    ),
    Protocol(
        "towervision",
        "vimul_bench",
        "mean of MCQ accuracy and GPT-4o-judged open-ended accuracy",
        "towereval",
        "mean of accuracy and judge",
        0.01,
    ),
    Protocol(
        "towervision_logs", "alm_bench", "exact_match", "towervision-text", "exact_match", 0.01
    ),
    Protocol("towervision_logs", "ocrbench", "ocrbench_accuracy", "towervision", "accuracy", 0.01),
    Protocol("towervision_logs", "cc_ocr", "macro_f1_score", "towervision", "macro_f1", 0.01),
    Protocol("towervision_logs", "cc_ocr", "micro_f1_score", "towervision", "micro_f1", 0.01),
    # lmms-eval calls TextVQA's soft accuracy so.
    Protocol("towervision_logs", "textvqa", "exact_match", "validation", "vqa_accuracy", 0.01),
    Protocol(
        *("towervision_logs", "multi30k", "avg_XCOMET-XL_score", "towervision", "xcomet_xl", 0.01),
        signature=_XCOMET,
    ),
    *(
        Protocol(
            *("centurio", benchmark, "accuracy", "centurio", "relaxed_accuracy", 0.01),
            doubt=_ONE_PICTURE if benchmark == "m3exam" else _RELAXED,
        )
        for benchmark in _CENTURIO
    ),
    Protocol(
        "lrm_llava",
        "mme_multilingual",
        "MME perception score (sum over subtasks of acc+acc_plus)",
        "lrm",
        "perception_score",
        1.0,
        doubt=_OTHER,
    ),
    Protocol(
        "lrm_llava",
        "pope_multilingual",
        "POPE score (metric not stated; F1 in LLaVA-1.5 convention)",
        "lrm",
        "f1",
        0.01,
        doubt=f"that it is F1 is not said; {_OTHER}",
    ),
    Protocol(
        *("lrm_llava", "seed_bench_image_multilingual", "accuracy", "lrm", "accuracy", 0.01),
        doubt=_OTHER,
    ),
    Protocol(
        *("lrm_llava", "mmbench_multilingual", "accuracy", "lrm", "circular_accuracy", 0.01),
        doubt=f"that it is the circular one is not said; {_OTHER}",
    ),
)

_CC_OCR_LANGUAGES = frozenset({"de", "fr", "it", "ru", "es", "ko", "pt"})
# TowerVision, footnote 5.
_ALM_LANGUAGES = frozenset(
    [
        *("de", "es", "fr", "it", "ko", "nl", "ru", "en", "pt", "zh-Hans", "zh-Hant", "is"),
        *("cs", "uk", "hi", "ja", "pl", "sv", "hu", "ro", "da", "no", "fi"),
    ]
)
# A mean's published name -> the languages that it is over, and what is not known of it.
MEANS: dict[tuple[str, str, str], tuple[frozenset[str], str]] = {
    ("towervision", "cc_ocr", "multi (de,fr,it,ru,es,ko,pt)"): (_CC_OCR_LANGUAGES, ""),
    ("towervision", "cc_ocr", "multi"): (_CC_OCR_LANGUAGES, ""),
    **{
        ("towervision", "alm_bench", name): (
            _ALM_LANGUAGES,
            "whether English is in the published mean is not known; in ours it is",
        )
        for name in ("multi", "multi (23 languages)")
    },
    **{
        ("centurio", benchmark, "multi"): (frozenset(codes.split()), "")
        for benchmark, codes in _CENTURIO.items()
    },
    ("lrm_llava", "mmbench_multilingual", "avg of 9 non-English"): (
        frozenset({"cs", "de", "fr", "hr", "it", "ro", "ru", "es", "zh"}),
        "",
    ),
}
