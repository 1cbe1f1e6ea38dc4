import copy
import os
import signal
import threading
import time

import numpy as np
import pytest
import torch
from torch import nn

import dataaudit
from dataaudit.data import as_examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.devices import resolve_device
from dataaudit.learners.precisions import resolve_precision
from dataaudit.learners.recipes import Recipe
from dataaudit.learners.torch import TorchLearner
from dataaudit.learners.weights import reset, shuffle_weights
from dataaudit.pipeline.evidence_sources import evaluations
from dataaudit.testing import LearnerContract

CPU = torch.device("cpu")


def small():
    return nn.Sequential(nn.Linear(6, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 3))


@pytest.fixture(params=["module", "factory", "bfloat16", "adamw"])
def kind(request):
    return request.param


class TestContract(LearnerContract):
    @pytest.fixture(autouse=True)
    def _given(self, kind, blobs):
        self.kind, self.blobs = kind, blobs
        torch.manual_seed(1)
        self.module = small()

    def learner(self):
        recipe = Recipe(
            epochs=3,
            batch_size=32,
            precision="bfloat16" if self.kind == "bfloat16" else "float32",
            **({"optimizer": "adamw", "learning_rate": 0.01} if self.kind == "adamw" else {}),
        )
        return TorchLearner(small if self.kind == "factory" else self.module, self.blobs, recipe, CPU)

    def labels(self):
        return self.blobs.labels


def test_the_callers_model_is_never_changed(blobs):
    module = small().eval()
    before = copy.deepcopy(module.state_dict())
    TorchLearner(module, blobs, Recipe(epochs=2), CPU).fit(np.arange(90), 0, None, False)
    for name, value in module.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert not module.training
    assert all(parameter.grad is None for parameter in module.parameters())
    shared = small()
    before = copy.deepcopy(shared.state_dict())
    TorchLearner(lambda: shared, blobs, Recipe(epochs=1), CPU).fit(np.arange(90), 0, None, False)
    assert all(torch.equal(value, before[name]) for name, value in shared.state_dict().items())


def test_a_hand_written_loop_gives_the_same_weights(blobs):
    recipe = Recipe(epochs=2, batch_size=40, learning_rate=0.05, schedule="linear", warmup=0.5, precision="float32")
    module = nn.Linear(6, 3)
    learned = TorchLearner(module, blobs, recipe, CPU).fit(np.arange(90), 3, None, False).module
    mine = copy.deepcopy(module)
    optimizer = torch.optim.SGD(mine.parameters(), lr=0.05, momentum=0.9, nesterov=True)
    order, step = torch.Generator().manual_seed(3), 0
    inputs, labels = torch.tensor(blobs.read(np.arange(90))), torch.tensor(blobs.labels)
    for _ in range(2):
        for batch in torch.randperm(90, generator=order).split(40):
            for group in optimizer.param_groups:
                group["lr"] = 0.05 * ((step + 1) / 3 if step < 3 else 1 - (step - 3) / 3)
            loss = nn.functional.cross_entropy(mine(inputs[batch]), labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            step += 1
    for a, b in zip(learned.parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)


def test_recording_changes_nothing(blobs):
    learner = TorchLearner(small, blobs, Recipe(epochs=2), CPU)
    rows = np.arange(90)
    recorder = Recorder(90, 3)
    a = learner.fit(rows, 0, recorder, False).logits(rows)
    b = learner.fit(rows, 0, None, False).logits(rows)
    assert torch.equal(a, b)
    assert recorder.epochs == 2


def test_a_last_batch_of_one_joins_the_one_before(blobs):
    learner, sizes = TorchLearner(small, blobs, Recipe(epochs=1, batch_size=89), CPU), []

    class Watching(Recorder):
        def update(self, indices, logits, labels):
            sizes.append(len(indices))
            super().update(indices, logits, labels)

    recorder = Watching(90, 3)
    learner.fit(np.arange(90), 0, recorder, False)
    assert sizes == [90]
    assert (recorder.dynamics().seen == 1).all()


def test_pixels_are_scaled_and_tokens_stay_whole():
    pixels = as_examples((np.full((6, 1, 2, 2), 255, np.uint8), [0, 1] * 3))
    learner = TorchLearner(nn.Sequential(nn.Flatten(), nn.Linear(4, 2)), pixels, Recipe(), CPU)
    learner.check(0)
    assert learner.inputs(np.array([0])).max() == 1.0
    tokens = as_examples((np.arange(12).reshape(6, 2), [0, 1] * 3))
    words = nn.Sequential(nn.Embedding(12, 3), nn.Flatten(), nn.Linear(6, 2))
    learner = TorchLearner(words, tokens, Recipe(epochs=1), CPU)
    learner.check(0)
    assert learner.inputs(np.array([0])).dtype == torch.int64
    learner.fit(np.arange(6), 0, None, False)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (nn.Linear(6, 4), "one logit for each of the 3 classes"),
        (nn.Linear(5, 3), "fails on inputs"),
        (lambda: "no module", "from the model factory"),
        (nn.Linear(6, 3).requires_grad_(False), "without trainable parameters"),
        (nn.LSTM(6, 4), "of shape \\(2, 4\\)"),
    ],
)
def test_a_model_that_does_not_fit_is_refused(blobs, model, message):
    with pytest.raises(ModelError, match=message):
        TorchLearner(model, blobs, Recipe(), CPU).check(0)


class Keeps(nn.Module):
    """Keeps what it computed, and has a gradient in training alone."""

    def __init__(self):
        super().__init__()
        self.layer, self.scale, self.hidden = nn.Linear(6, 3), None, None

    def forward(self, inputs):
        if self.scale is None:
            self.scale = torch.arange(3.0).cos()
        with torch.set_grad_enabled(self.training):
            self.hidden = self.layer(inputs)
            return self.hidden * self.scale


def test_a_model_may_keep_tensors_and_have_a_gradient_in_training_alone(blobs):
    learner = TorchLearner(Keeps, blobs, Recipe(epochs=1), CPU)
    learner.check(0)
    assert learner.fit(np.arange(90), 0, None, False).logits(np.arange(4)).shape == (4, 3)


@pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")
def test_a_model_in_torchscript_is_refused(blobs):
    traced = torch.jit.trace(nn.Linear(6, 3), torch.zeros(2, 6))
    for model in (traced, nn.Sequential(traced), lambda: traced):
        with pytest.raises(ModelError, match="in TorchScript, whose layers cannot be watched"):
            TorchLearner(model, blobs, Recipe(), CPU).check(0)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_a_model_keeps_its_precision(blobs, dtype):
    learner = TorchLearner(small().to(dtype), blobs, Recipe(epochs=1, precision="float32"), CPU)
    learner.check(0)
    recorder = Recorder(90, 3)
    fitted = learner.fit(np.arange(90), 0, recorder, False)
    assert next(fitted.module.parameters()).dtype == dtype
    assert fitted.logits(np.arange(3)).dtype == torch.float32


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_sparse_gradients_are_made_dense(optimizer):
    examples = as_examples((np.arange(40).reshape(20, 2) % 7, np.arange(20) % 2))
    recipe, rows = Recipe(epochs=1, batch_size=8, optimizer=optimizer), np.arange(20)

    def trained(sparse):
        words = nn.Embedding(7, 3, sparse=sparse)
        learner = TorchLearner(
            nn.Sequential(words, nn.Flatten(), nn.Linear(6, 2)), examples, recipe, torch.device("cpu")
        )
        learner.check(0)
        fitted = learner.from_scratch().fit(rows, 0, None, False)
        assert words.sparse == sparse
        return fitted.logits(rows)

    assert torch.equal(trained(True), trained(False))


def test_batch_normalisation_needs_two_examples(blobs):
    with pytest.raises(ModelError, match="at least two examples"):
        TorchLearner(small, blobs, Recipe(batch_size=1), CPU).check(0)


def test_a_trained_model_is_noticed_and_an_untrained_one_is_not(blobs):
    rows = np.arange(90)
    trained = TorchLearner(small, blobs, Recipe(epochs=10), CPU).fit(rows, 0, None, False).module
    assert TorchLearner(trained, blobs, Recipe(), CPU).already_fits(0) > 0.8
    assert TorchLearner(trained, blobs, Recipe(init="reset"), CPU).already_fits(0) is None
    for seed in range(10):
        torch.manual_seed(seed)
        assert TorchLearner(small(), blobs, Recipe(), CPU).already_fits(0) is None


def test_reset_starts_afresh_and_refuses_what_it_cannot_reset(blobs):
    module = small()
    before = copy.deepcopy(module.state_dict())
    reset(module)
    assert not torch.equal(module[0].weight, before["0.weight"])

    class Fixed(nn.BatchNorm1d):
        def __init__(self):
            super().__init__(6)
            self.register_buffer("scale", torch.arange(6.0))

    module = Fixed()
    module(torch.randn(9, 6) + 5.0)
    reset(module)
    # Statistics of what was seen are forgotten; what no layer renews is no statistic.
    assert (module.running_mean == 0).all()
    assert torch.equal(module.scale, torch.arange(6.0))

    class Bare(nn.Module):
        def __init__(self):
            super().__init__()
            self.scale = nn.Parameter(torch.ones(6, 3))

        def forward(self, x):
            return x @ self.scale

    with pytest.raises(ModelError, match="reset_parameters"):
        TorchLearner(Bare(), blobs, Recipe(init="reset"), CPU).check(0)


def test_shuffled_weights_keep_their_values():
    module = nn.Linear(6, 3)
    shuffled = shuffle_weights(copy.deepcopy(module), 0)
    assert torch.equal(module.weight.flatten().sort()[0], shuffled.weight.flatten().sort()[0])
    assert not torch.equal(module.weight, shuffled.weight)


def test_divergence_is_an_error(blobs):
    from dataaudit.errors import DataError

    learner = TorchLearner(small, blobs, Recipe(epochs=3, learning_rate=1e30), CPU)
    with pytest.raises(DataError, match="diverged"):
        learner.fit(np.arange(90), 0, Recorder(90, 3), False)


def test_devices_and_precision():
    assert resolve_device("cpu") == CPU
    with pytest.raises(SettingError, match="did you mean 'cuda'"):
        resolve_device("cdua")
    if not torch.cuda.is_available():
        assert resolve_device("auto") == CPU
        with pytest.raises(SettingError, match="which this machine does not have"):
            resolve_device("cuda")
    assert resolve_precision("float32", CPU).name == "float32"
    assert resolve_precision("auto", CPU).name in ("float32", "bfloat16")


def test_ctrl_c_ends_within_a_second_and_keeps_complete_epochs(blobs):
    second = threading.Event()

    class Telling(Recorder):
        def end_epoch(self):
            super().end_epoch()
            if self.epochs == 2:
                second.set()

    recorder = Telling(90, 3)
    learner = TorchLearner(lambda: nn.Linear(6, 3), blobs, Recipe(epochs=100_000, batch_size=30), CPU)
    sent = []

    def press():
        second.wait(60)
        sent.append(time.perf_counter())
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=press)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        learner.fit(np.arange(90), 0, recorder, False)
    assert time.perf_counter() - sent[0] < 1.0
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
    assert 2 <= recorder.epochs < 100_000
    assert (recorder.dynamics().seen == recorder.epochs).all()


class Squeezing(nn.Module):
    """Outputs that lose the first axis where there is one row."""

    def __init__(self, classes, last):
        super().__init__()
        self.linear, self.last = nn.Linear(6, classes), last

    def forward(self, x):
        return self.last(self.linear(x)).squeeze()


@pytest.mark.parametrize(("classes", "outputs"), [(3, 3), (2, 2), (2, 1)])
@pytest.mark.parametrize("last", [nn.Identity(), nn.Softmax(1)])
@pytest.mark.parametrize("n", [35, 65])
def test_a_single_row_at_the_end_is_one_as_well(monkeypatch, classes, outputs, last, n):
    """Of those that are looked at before training, and of those that are evaluated."""
    monkeypatch.setattr(evaluations, "ROWS", 32)
    if outputs == 1 and isinstance(last, nn.Softmax):
        last = nn.Sigmoid()
    rng, y = np.random.default_rng(0), np.arange(n) % classes
    x = (rng.normal(size=(n, 6)) + 4 * np.eye(classes, 6)[y]).astype(np.float32)
    recipe = Recipe(epochs=3, batch_size=16)
    squeezed, kept = (
        dataaudit.score(model, (x, y), recipe=recipe, device="cpu", progress=False)
        for model in (Squeezing(outputs, last), nn.Sequential(nn.Linear(6, outputs), last))
    )
    assert np.isfinite(squeezed.scores["consensus"]).all()
    assert squeezed.settings["notes"] == kept.settings["notes"]


class Remembers(nn.Linear):
    """A layer with a state besides its weights."""

    def __init__(self, seen):
        torch.manual_seed(0)
        super().__init__(6, 3)
        self.seen = seen

    def get_extra_state(self):
        return {"seen": self.seen}

    def set_extra_state(self, state):
        self.seen = state["seen"]


def test_models_that_are_lazy_or_remember_have_an_identity(tmp_path):
    examples = as_examples((np.zeros((4, 6), np.float32), [0, 1, 2, 0]))
    lazy = nn.Sequential(nn.LazyLinear(8), nn.ReLU(), nn.LazyLinear(3))
    found = [TorchLearner(module, examples, Recipe(), CPU).identity for module in (lazy, Remembers(1), Remembers(2))]
    assert len(set(found)) == 3
    assert TorchLearner(Remembers(1), examples, Recipe(), CPU).identity == found[1]
    x, y = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float32), np.arange(40) % 3
    scores = [
        dataaudit.score(lazy, (x, y), recipe=Recipe(epochs=1), cache=tmp_path, device="cpu", progress=False).scores
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*scores)


def test_a_lock_within_a_model_is_refused_with_what_to_pass():
    model = small()
    model.lock = threading.Lock()
    with pytest.raises(ModelError, match=r"cannot be copied.*without locks"):
        TorchLearner(model, as_examples((np.zeros((4, 6), np.float32), [0, 1, 2, 0])), Recipe(), CPU).untrained()
