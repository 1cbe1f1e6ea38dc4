"""What a caller may have set in the process, and may call; what must be as it was afterwards."""

import multiprocessing
import os
import random
import signal
import warnings
from contextlib import ExitStack, contextmanager
from functools import cache

import numpy as np
import pandas as pd
import sklearn
import torch
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits
from torch import nn
from typer.testing import CliRunner

import dataaudit
from dataaudit import Holdout, LinearProbe, NearestNeighbours, Recipe, Recorder, score
from dataaudit.cli import app

RNG = np.random.default_rng(0)
N = 60
LABELS = np.arange(N) % 3
INPUTS = (RNG.normal(size=(N, 5)) + 3.0 * np.eye(3, 5)[LABELS]).astype(np.float32)
LABELS[::17] = (LABELS[::17] + 1) % 3
NEW = INPUTS[:4] + 0.5
RECIPE = Recipe(epochs=2, precision="float32", batch_size=16)


def net(dtype=torch.float32):
    return nn.Sequential(nn.Linear(5, 16, dtype=dtype), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3, dtype=dtype))


torch.manual_seed(0)
MODULE = net()


@contextmanager
def attribute(read, write, value):
    before = read()
    write(value)
    try:
        yield
    finally:
        write(before)


@contextmanager
def filters(action, **options):
    with warnings.catch_warnings():
        warnings.simplefilter(action, **options)
        yield


@contextmanager
def handlers():
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, lambda number, frame: None)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def several(*managers):
    with ExitStack() as stack:
        for manager in managers:
            stack.enter_context(manager)
        yield


SETTINGS = {
    "nothing": lambda: several(),
    "no_grad": torch.no_grad,
    "inference_mode": torch.inference_mode,
    "autocast": lambda: torch.autocast("cpu", torch.bfloat16),
    "autocast twice": lambda: several(torch.autocast("cpu", torch.bfloat16), torch.autocast("cpu", torch.bfloat16)),
    "default device": lambda: torch.device("meta"),
    "another default device": lambda: attribute(torch.get_default_device, torch.set_default_device, "meta"),
    "default dtype": lambda: attribute(torch.get_default_dtype, torch.set_default_dtype, torch.float64),
    "errors of NumPy": lambda: np.errstate(all="raise"),
    "deterministic": lambda: attribute(
        torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms, True
    ),
    "warnings are errors": lambda: filters("error"),
    "numerical warnings are errors": lambda: filters("error", category=RuntimeWarning),
    "a thread of torch": lambda: attribute(torch.get_num_threads, torch.set_num_threads, 1),
    "a thread of BLAS": lambda: threadpool_limits(1),
    "handlers": handlers,
    "spawn": lambda: attribute(
        lambda: multiprocessing.get_start_method(allow_none=True),
        lambda method: multiprocessing.set_start_method(method, force=True),
        "spawn",
    ),
    "frames of scikit-learn": lambda: sklearn.config_context(transform_output="pandas"),
    "all at once": lambda: several(
        torch.inference_mode(), torch.autocast("cpu", torch.bfloat16), torch.device("meta"), np.errstate(all="raise"),
        filters("error"), handlers(),
    ),
}  # fmt: skip


def process():
    """What must be as it was: values that can be compared."""
    names, state, *rest = np.random.get_state()  # noqa: NPY002
    return {
        "grad": torch.is_grad_enabled(),
        "inference": torch.is_inference_mode_enabled(),
        "autocast": [torch.is_autocast_enabled(device) for device in ("cpu", "cuda")],
        "nesting": (torch.autocast_increment_nesting(), torch.autocast_decrement_nesting()),
        "device": torch.get_default_device(),
        "dtype": torch.get_default_dtype(),
        "numpy": np.geterr(),
        "deterministic": torch.are_deterministic_algorithms_enabled(),
        "filters": list(warnings.filters),
        "threads": torch.get_num_threads(),
        "handlers": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)],
        "start": multiprocessing.get_start_method(allow_none=True),
        "python": random.getstate(),
        "generator of numpy": (names, state.tolist(), rest),
        "generator of torch": torch.get_rng_state().tolist(),
        "environment": dict(os.environ),
    }


@cache
def audit():
    return score(MODULE, (INPUTS, LABELS), recipe=RECIPE, progress=False)


def plain(result):
    """Arrays of a result, and of what it holds, as lists that compare NaN as equal."""
    if isinstance(result, dataaudit.Audit):
        return {"columns": plain(result.columns), "precision": result.settings["precision"]}
    if isinstance(result, pd.DataFrame):
        return plain({name: result[name].to_numpy() for name in result})
    if isinstance(result, dict):
        return {name: plain(value) for name, value in result.items()}
    if isinstance(result, (list, tuple)):
        return [plain(value) for value in result]
    return np.asarray(result)


def scored(model, data=(INPUTS, LABELS), scorers="auto", **options):
    return plain(score(model, data, scorers, progress=False, **options))


def recorded(tmp_path):
    recorder, order = Recorder(N, 3), np.arange(N)
    logits = torch.tensor(INPUTS[:, :3].tolist(), dtype=torch.float32, device="cpu")
    rows, labels = torch.tensor(order, device="cpu"), torch.tensor(LABELS, device="cpu")
    for scale in (1.0, 300.0):
        recorder.update(rows, logits * scale, labels)
        recorder.end_epoch()
    recorder.evaluate(rows, logits, labels)
    again = Recorder(N, 3)
    again.load_state_dict(recorder.state_dict())
    return plain([vars(again.dynamics()), vars(again.predictions()), again.latest_losses(), scored(again, None)])


def weighed(tmp_path):
    names = set(dataaudit.strategies.names()) - {"small_loss"}
    weights = {name: audit().weights(name, epoch=1, total_epochs=3) for name in sorted(names)}
    samplers = [dataaudit.CurriculumSampler(next(iter(weights.values())), replacement=again) for again in (False, True)]
    return plain([weights, [list(sampler) for sampler in samplers]])


def saved(tmp_path):
    audit().report(tmp_path / "report.html")
    audit().save(tmp_path / "audit")
    again = dataaudit.Audit.load(tmp_path / "audit")
    asked = [again.outliers(5, dataset=(INPUTS, LABELS)), again.suspects(5), again.mislabeled(count=5)]
    return plain([*asked, again.noise_rate().rate, again.error_probability()])


def commanded(tmp_path):
    frame = pd.DataFrame(INPUTS, columns=list("abcde")).assign(label=LABELS)
    frame.to_csv(tmp_path / "rows.csv", index=False)
    done = CliRunner().invoke(app, ["score", str(tmp_path / "rows.csv"), "--out", str(tmp_path / "out")])
    assert done.exit_code == 0, done.output
    return plain(pd.read_csv(tmp_path / "out/suspects.csv"))


@cache
def encoder():
    import transformers
    from tokenizers import Tokenizer, models, pre_tokenizers

    words = Tokenizer(models.WordLevel({word: i for i, word in enumerate(["[PAD]", "[UNK]", "a", "b"])}, "[UNK]"))
    words.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=words, pad_token="[PAD]", unk_token="[UNK]")
    config = transformers.BertConfig(
        vocab_size=4, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=8
    )
    return transformers.BertModel(config), tokenizer


def embedded(tmp_path):
    model, tokenizer = encoder()
    return plain(dataaudit.embed(["a b", "b", "c a"], model, processor=tokenizer, progress=False))


COMMAND = "the command line"
ENTRIES = {
    "a module": lambda folder: scored(MODULE, recipe=RECIPE),
    "a factory in bfloat16": lambda folder: scored(
        net, scorers="mean_margin", recipe=Recipe(epochs=2, precision="bfloat16"), repeats=2
    ),
    "gradients": lambda folder: scored(
        MODULE, scorers=["density/gradient_sketch", "knn_c_score/hidden"], recipe=RECIPE
    ),
    "scikit-learn": lambda folder: scored(LogisticRegression()),
    "a probe": lambda folder: scored(LinearProbe(), scorers=["c_score"], holdout=Holdout(runs=4, backend="serial")),
    "neighbours": lambda folder: scored(NearestNeighbours()),
    "subset runs": lambda folder: scored(MODULE, scorers="c_score", recipe=RECIPE, holdout=Holdout(runs=2)),
    "texts": lambda folder: scored(None, ([f"word{i % 7} of {i}" for i in range(N)], LABELS)),
    "a cache": lambda folder: scored(MODULE, recipe=RECIPE, cache=folder / "cache"),
    "findings": lambda folder: plain(
        [audit().outliers(5, by="hidden"), audit().duplicates(), audit().ambiguous(5, by="input"), audit().typical()]
    ),
    "new rows": lambda folder: plain(audit().score_new(NEW, LABELS[:4], by="hidden", progress=False)),
    "decisions": lambda folder: plain([audit().mislabeled(), audit().noise_rate().pairs, repr(audit())]),
    "cleaning": lambda folder: plain(audit().clean("drop")[1]),
    "a recorder": recorded,
    "weights": weighed,
    "a folder and a page": saved,
    COMMAND: commanded,
    "texts as vectors": embedded,
}


@cache
def usual(entry, folder):
    return ENTRIES[entry](folder)
