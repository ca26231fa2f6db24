"""ALM-Bench's options and prompts. Answer and options share one string, `x (Options: x, y, z)`.

Three readings of it: TowerVision's final one (`split_options`), that of its first runs
(`fork_split_answer_options`) and the official repository's (https://github.com/mbzuai-oryx/ALM-Bench).
"""

from __future__ import annotations

import difflib
import re
import string
from collections.abc import Sequence

from towereval.errors import Unscorable

MULTIPLE_CHOICE = "Multiple Choice Questions"
TRUE_FALSE = "True False Question"
LONG = "Long Question"

# "Options" as the translators wrote it. "選択 " has its blank in the source.
KEYWORDS = (
    *("Options", "Opties", "옵션", "선택", "선택사항", "選択肢", "選択 ", "选项", "選項", "選購"),
    *("選配", "可选", "可選", "Варианты", "Опції", "Варіанти", "choix", "Opções", "Optionen"),
    *("Zutaten", "Auswahl", "Vaihtoehdot", "Možnosti", "विकल्प", "オプション", "opcje"),
    *("Alternativ", "Alternativer", "Opciók", "Muligheder", "Indstillinger", "Mulighed"),
    *("Lehetőségek", "Opțiuni", "Valgmuligheder", "Opsjoner", "Valmöguleikar", "Valkostir"),
    *("möguleikar", "параметри", "Kjör", "opzioni", "Opciones", "Volby", "Optioner"),
)
_OPTIONS = re.compile(
    rf"(.*?)\s*[(（](?:{'|'.join(KEYWORDS)})\s*[:：]\s*(.+?)[)）][.。]?", re.IGNORECASE
)
_COMMA = re.compile("[、，,]")
# Where any option after the first has a capital, a comma before a small letter separates nothing.
_COMMA_BEFORE_CAPITAL = re.compile(r"[、，,](?=\s*[A-ZА-ЯЇЄІ])")

# The first runs: ASCII punctuation only, and "choix" only with a blank, so "(choix: a, b)" and a
# no-break blank are handled as they were then.
FORK_KEYWORDS = (
    *("Options", "Opties", "옵션", "选项", "Opciones", "opzioni", "Варианты", "choix ", "Opções"),
    "Optionen",
)
# The runs of September 2025, whose logs are public, knew five more.
LOGGED_KEYWORDS = (*FORK_KEYWORDS, "선택", "선택사항", "선택 ", "Zutaten", "Auswahl")


def split_options(answer: str) -> tuple[str, tuple[str, ...]]:
    """The true answer and the options in the order of the data; no options where none are found."""
    found = _OPTIONS.fullmatch(answer.strip())
    if not found:
        return answer.strip().strip(" .。"), ()
    truth, listed = found[1].strip(" .。"), found[2]
    comma = _COMMA_BEFORE_CAPITAL if _COMMA_BEFORE_CAPITAL.search(listed) else _COMMA
    return truth, tuple(option.strip() for option in comma.split(listed))


def gold_letter(choices: Sequence[str], answer: str) -> str:
    """The label of the option most like the answer, the first of equals.

    The likeness is what fuzzywuzzy's `ratio` gives without its optional C package
    (python-Levenshtein differs slightly): difflib's, rounded to a percentage, which makes ties.
    """
    if not choices:
        raise Unscorable("the item has no options")
    likeness = [
        round(100 * difflib.SequenceMatcher(None, choice.lower(), answer.lower()).ratio())
        for choice in choices
    ]
    return option_label(likeness.index(max(likeness)))


def option_label(index: int) -> str:
    """A to Z, then AA, AB and so on."""
    letter = string.ascii_uppercase[index % 26]
    return letter if index < 26 else option_label(index // 26 - 1) + letter


def fork_split_answer_options(
    answer: str, keywords: Sequence[str] = FORK_KEYWORDS
) -> tuple[str | None, str | None]:
    """The true answer and the options one a line, or two Nones, of TowerVision's first runs.

    A number such as 1,000 is cut at its comma.
    """
    options = rf"(.*?)\s*\((?:{'|'.join(keywords)}):\s*(.*?)\)"
    found = re.fullmatch(options, answer.strip(), re.IGNORECASE)
    return (found[1], re.sub(r"\s*,\s*", "\n", found[2])) if found else (None, None)


def fork_prompt(
    question: str,
    answer: str,
    pre_prompt: str,
    post_prompt: str = "",
    keywords: Sequence[str] = FORK_KEYWORDS,
) -> str:
    """Where no options are found, the first runs asked the model to choose from the word "None"."""
    _, options = fork_split_answer_options(answer, keywords)
    return f"{pre_prompt} {question}\n{options}{post_prompt}"


def official_prompt(question_type: str, question: str, answer: str, language: str) -> str:
    """The text that follows the picture. Options keep their translated heading, "Options: a, b"."""
    if question_type == MULTIPLE_CHOICE:
        return (
            "For the given Multiple Choice Question, analyze the question and answer strictly from "
            "one of the options below. Strictly answer the choice only. No additional text."
            f"\n{question}\n{_parenthesis(answer)}"
        )
    if question_type == TRUE_FALSE:
        wish = (
            "The above question is a True/False question. "
            f"Please provide the answer as one word in {language}"
        )
    elif question_type == LONG:
        wish = f"Answer the question in detail in {language} language."
    else:
        wish = f"Please provide brief, clear responses in {language} language."
    return f"{question}\n{wish}"


_JUDGE_MATCH = (
    "Match the meaning of the ground truth with the model prediction and if it matches give a 10. "
    "Otherwise 0."
)
_JUDGE_OVERALL = "Provide a single overall score out of 10 based on these three criteria."
_JUDGE_ANCHORS = (
    "A high score example will be where the predicted response matches closely with the ground "
    "truth and a low score example will be where the predicted response lacks knowledge or is not "
    "related to the ground truth:"
)


def official_judge_prompt(question_type: str, question: str, truth: str, prediction: str) -> str:
    """What GPT-4o is asked; a choice is judged against the text before its options."""
    if question_type in (MULTIPLE_CHOICE, TRUE_FALSE):
        header = "Evaluate the following answer based on Accuracy:"
        wish = _JUDGE_MATCH
    else:
        criteria = (
            "Consistency, Fluency, and Relevance"
            if question_type == LONG
            else "accuracy and correctness"
        )
        header = (
            f"Evaluate the following answer based on {criteria} based on the Ground Truth answer.\n"
            f"{_JUDGE_ANCHORS}"
        )
        wish = _JUDGE_OVERALL
    if question_type == MULTIPLE_CHOICE:
        truth = truth.split("（" if "（" in truth else "(")[0]
    return (
        f"{header}\n\nQuestion: {question}\nGround Truth: {truth}\n"
        f"Model Prediction: {prediction}\n\n{wish}\n"
        "Strictly return only the numeric score, without any additional commentary."
    )


def _parenthesis(answer: str) -> str:
    """What stands in the first parentheses, full-width ones first."""
    opening, closing = ("（", "）") if "（" in answer else ("(", ")")
    _, found, rest = answer.partition(opening)
    if not found:
        raise Unscorable("the answer holds no options in parentheses")
    return rest.split(closing)[0]
