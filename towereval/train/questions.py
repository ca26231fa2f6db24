"""Questions about the drawings with four options, asked as ALM-Bench's and ViMUL-Bench's tasks ask.

Without the picture no option is likelier than another. Few words are shared by two questions beside
the benchmarks' own, so that 13 equal words of training and evaluation tell a shared drawing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from towereval.train import phrases

# What `alm_bench@towervision-text` puts before a question, and `vimul_bench` after its options.
CHOOSE = (
    "For the given Multiple Choice Question Answer below, analyze the question and answer strictly"
    " from one of the options below. Strictly answer the choice only. No additional text."
)
ENDING = "Answer with the option's letter from the given choices directly."
# How a row of ALM-Bench names its options, of the words that the task knows.
OPTIONS = {"en": "Options", "de": "Optionen", "fr": "choix ", "cs": "Options", "ru": "Варианты"}

# Arrangement -> which of its two things -> language -> the question for it.
WHERE: Mapping[str, Sequence[Mapping[str, str]]] = {
    "beside": (
        {
            "en": "What is on the left?",
            "de": "Was ist links?",
            "fr": "Qu'est-ce qui est à gauche?",
            "cs": "Co je vlevo?",
            "ru": "Что слева?",
        },
        {
            "en": "What is on the right?",
            "de": "Was ist rechts?",
            "fr": "Qu'est-ce qui est à droite?",
            "cs": "Co je vpravo?",
            "ru": "Что справа?",
        },
    ),
    "above": (
        {
            "en": "What is above?",
            "de": "Was ist oben?",
            "fr": "Qu'est-ce qui est en haut?",
            "cs": "Co je nahoře?",
            "ru": "Что сверху?",
        },
        {
            "en": "What is below?",
            "de": "Was ist unten?",
            "fr": "Qu'est-ce qui est en bas?",
            "cs": "Co je dole?",
            "ru": "Что снизу?",
        },
    ),
}
# Asked of two things of one colour.
COLOUR: Mapping[str, str] = {
    "en": "What colour are they?",
    "de": "Welche Farbe haben sie?",
    "fr": "Quelle est leur couleur?",
    "cs": "Jaká je jejich barva?",
    "ru": "Какой у них цвет?",
}
# Language -> what colours are called in answers, in the order of `_NAMED`.
_NAMED = ("red", "blue", "green", "yellow", "black", "white")
_COLOURS: Mapping[str, Sequence[str]] = {
    "en": _NAMED,
    "de": ("rot", "blau", "grün", "gelb", "schwarz", "weiß"),
    "fr": ("rouge", "bleu", "vert", "jaune", "noir", "blanc"),
    "cs": ("červená", "modrá", "zelená", "žlutá", "černá", "bílá"),
    "ru": ("красный", "синий", "зелёный", "жёлтый", "чёрный", "белый"),
}
# Languages of ViMUL-Bench that are drawn in.
CLIP_LANGUAGES = ("en", "de", "fr", "ru")
# What is asked of a clip -> language.
CLIPS: Mapping[str, Mapping[str, str]] = {
    "move": {
        "en": "Where does it go?",
        "de": "Wohin geht es?",
        "fr": "Où va-t-il?",
        "ru": "Куда он движется?",
    },
    "first": {
        "en": "Which colour comes first?",
        "de": "Welche Farbe kommt zuerst?",
        "fr": "Quelle couleur en premier?",
        "ru": "Какой цвет первый?",
    },
    "last": {
        "en": "Which colour comes last?",
        "de": "Welche Farbe kommt zuletzt?",
        "fr": "Quelle couleur en dernier?",
        "ru": "Какой цвет последний?",
    },
}
# The options always stand in this order: a model so small does not learn to look up which letter
# stands before an option, so a letter is a name here.
MOVES = ("left", "right", "up", "down")
CHANGES = ("red", "blue", "green", "yellow")
_MOVES: Mapping[str, Sequence[str]] = {
    "en": MOVES,
    "de": ("links", "rechts", "oben", "unten"),
    "fr": ("gauche", "droite", "haut", "bas"),
    "ru": ("влево", "вправо", "вверх", "вниз"),
}


def options(language: str, things: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    """Both things of a scene, then the two that have the one's colour and the other's shape."""
    (colour, shape), (other_colour, other_shape) = things
    mixed = ((colour, other_shape), (other_colour, shape))
    return tuple(phrases.thing(language, *thing) for thing in (*things, *mixed))


def colour(language: str, name: str) -> str:
    return _COLOURS[language][_NAMED.index(name)]


def choice(question: str, listed: Sequence[str]) -> str:
    return f"{CHOOSE} {question}\n" + "\n".join(listed)


def clip_options(language: str, asked: str) -> tuple[str, ...]:
    words = _MOVES[language]
    if asked != "move":
        words = [colour(language, name) for name in CHANGES]
    return tuple(f"{letter}. {word}" for letter, word in zip("ABCD", words, strict=True))


def clip(language: str, asked: str) -> str:
    return "\n".join([CLIPS[asked][language], *clip_options(language, asked), ENDING])
