"""transformers models from tiny configurations, with tokenizers trained in the test."""

import copy

import numpy as np
import pytest
import torch
import transformers
from tokenizers import normalizers, processors
from torch import nn

import dataaudit
from dataaudit import Recipe
from dataaudit.data import as_examples
from dataaudit.dynamics.recorder import Recorder
from dataaudit.errors import DataError, ModelError, SettingError
from dataaudit.learners.adapt import as_learner
from dataaudit.learners.recipes import FINETUNE, TRANSFORMER
from dataaudit.learners.tokens import TokenBatches
from dataaudit.learners.torch import TorchLearner
from dataaudit.learners.transformers import trained_before
from dataaudit.representations.spaces import Space
from dataaudit.testing import LearnerContract
from tests.learners.tiny_models import (
    SHORT,
    WORDS,
    bert,
    bert_config,
    image_processor,
    images,
    resnet,
    seeded,
    texts,
    tokenizer,
    vit,
)


@pytest.fixture(scope="module")
def words():
    return texts()


@pytest.fixture(scope="module")
def examples(words):
    return as_examples(words)


class TestContract(LearnerContract):
    @pytest.fixture(autouse=True, params=["module", "factory"])
    def _given(self, request, examples):
        self.examples = examples
        self.model = seeded() if request.param == "module" else bert

    def learner(self):
        return as_learner(self.model, self.examples, SHORT, "cpu", tokenizer())

    def labels(self):
        return self.examples.labels


def plain_loop(model, tokenizer, texts, labels, recipe, seed):
    """What one would write by hand; logits seen in training, by epoch."""
    torch.manual_seed(seed)
    model = copy.deepcopy(model).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=recipe.learning_rate, weight_decay=0.0)
    schedule = transformers.get_linear_schedule_with_warmup(optimizer, 0, recipe.epochs * -(-len(texts) // 16))
    order, seen = torch.Generator().manual_seed(seed), np.empty((recipe.epochs, len(texts), 3))
    for epoch in range(recipe.epochs):
        for batch in torch.randperm(len(texts), generator=order).split(16):
            inputs = tokenizer(
                [texts[i] for i in batch], padding=True, truncation=True, max_length=12, return_tensors="pt"
            )
            output = model(**inputs, labels=torch.tensor(labels)[batch])
            optimizer.zero_grad()
            output.loss.backward()
            optimizer.step()
            schedule.step()
            seen[epoch, batch] = output.logits.detach()
    return model.eval(), seen


class Kept:
    def __init__(self, n, epochs):
        self.logits, self.epoch = np.empty((epochs, n, 3)), 0

    def update(self, indices, logits, labels):
        self.logits[self.epoch, indices] = logits.detach()

    def end_epoch(self):
        self.epoch += 1

    def discard_epoch(self):
        raise AssertionError


def test_a_plain_loop_gives_the_same_model_and_the_same_training_logits(words, examples):
    recipe = Recipe(epochs=2, batch_size=16, optimizer="adamw", learning_rate=5e-3, warmup=0.0, precision="float32")
    model = seeded()
    mine, seen = plain_loop(model, tokenizer(), *words, recipe, 5)
    kept = Kept(90, 2)
    learned = as_learner(model, examples, recipe, "cpu", tokenizer()).fit(np.arange(90), 5, kept, False)
    np.testing.assert_allclose(kept.logits, seen, rtol=1e-4, atol=1e-5)
    for (name, a), b in zip(learned.module.named_parameters(), mine.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-4, msg=name)
    one_by_one = [mine(**tokenizer()(text, return_tensors="pt")).logits[0].detach() for text in words[0]]
    torch.testing.assert_close(learned.logits(np.arange(90)), torch.stack(one_by_one), rtol=1e-3, atol=1e-4)


def test_tokens_are_those_of_the_tokenizer_padded_to_the_longest_of_a_batch(words, examples):
    for side in ("right", "left"):
        spelled = tokenizer(padding_side=side, model_input_names=["input_ids", "attention_mask", "token_type_ids"])
        feed = as_learner(bert, examples, SHORT, "cpu", spelled).builder
        rows = np.array([4, 0, 80, 4])
        packed = feed.batch(rows)
        plain = spelled([words[0][i] for i in rows], padding=True, return_tensors="pt", return_token_type_ids=True)
        assert feed.takes == ("input_ids", "attention_mask", "token_type_ids")
        for place, name in enumerate(feed.takes):
            assert torch.equal(packed[:, place], plain[name]), name
        assert feed.kept.values.dtype == np.int32
        assert feed.notes == []


def test_texts_too_many_to_keep_are_tokenised_batch_by_batch(examples):
    kept = as_learner(bert, examples, SHORT, "cpu", tokenizer())
    builder = TokenBatches(examples, tokenizer(), kept.builder.takes, None, cache_bytes=100, block=7)
    read = TorchLearner(bert, examples, kept.recipe, torch.device("cpu"), builder)
    read.check(0)
    assert read.builder.kept is None
    assert ["tokenised batch by batch" in note for note in read.builder.notes] == [True]
    assert torch.equal(read.inputs(np.arange(90)), kept.inputs(np.arange(90)))
    a, b = (learner.fit(np.arange(90), 0, None, False).logits(np.arange(9)) for learner in (kept, read))
    assert torch.equal(a, b)


def test_long_texts_are_cut_and_counted():
    long = [" ".join(["a0"] * 40), " ".join(["b0"] * 10), "a1", "b1"]
    audit = dataaudit.score(
        lambda: bert(num_labels=2), (long, [0, 1, 0, 1]), processor=tokenizer(), recipe=SHORT, progress=False
    )
    assert "2 texts reach the 12 tokens that the model reads of one; what follows is cut" in audit.settings["notes"]
    # RoBERTa's positions begin behind the padding's, and a tokenizer may know no limit.
    roberta = transformers.RobertaForSequenceClassification(
        transformers.RobertaConfig(**bert_config(num_labels=2, pad_token_id=0, bos_token_id=2).to_diff_dict())
    )
    learner = as_learner(roberta, as_examples((long, [0, 1, 0, 1])), SHORT, "cpu", tokenizer(limit=10**30))
    assert learner.inputs(np.arange(4)).shape[2] == 11
    learner.check(0)


def test_planted_errors_are_found_and_the_callers_model_stays():
    spoken, labels = texts(240, 3)
    given = labels.copy()
    given[::20] = (given[::20] + 1) % 3
    model = seeded()
    before = copy.deepcopy(model.state_dict())
    recipe = Recipe(epochs=10, batch_size=16, optimizer="adamw", learning_rate=5e-3, precision="float32")
    audit = dataaudit.score(model, (spoken, given), processor=tokenizer(), recipe=recipe, progress=False)
    assert set(np.flatnonzero(given != labels)) <= set(audit.ranking()[:20])
    assert audit.settings["model"] == "BertForSequenceClassification"
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert not model._forward_hooks
    assert not model._forward_pre_hooks


def test_weights_that_were_trained_are_fine_tuned(examples):
    fresh = seeded()
    assert not trained_before(fresh)
    assert as_learner(fresh, examples, None, "cpu", tokenizer()).recipe == TRANSFORMER
    trained = as_learner(fresh, examples, SHORT, "cpu", tokenizer()).fit(np.arange(90), 0, None, False).module
    assert trained_before(trained)
    assert as_learner(trained, examples, None, "cpu", tokenizer()).recipe == FINETUNE
    for fresh in (vit(), resnet()):
        assert not trained_before(fresh)


def test_a_model_that_fits_already_is_not_trained(examples, words):
    recipe = Recipe(epochs=15, batch_size=16, optimizer="adamw", learning_rate=5e-3, precision="float32")
    learned = as_learner(seeded(), examples, recipe, "cpu", tokenizer()).fit(np.arange(90), 0, None, False).module
    # A trained model carries the hooks of its copy; one loaded from its weights is what a caller has.
    model = bert()
    model.load_state_dict(learned.state_dict())
    audit = dataaudit.score(model, words, processor=tokenizer(), progress=False)
    assert audit.dynamics is None
    assert any("already classifies" in note for note in audit.settings["notes"])
    # Fine-tuning keeps the weights, which have seen what would be held out.
    for scorer in ("heldout_confidence", "holdout_probability"):
        with pytest.raises(ModelError, match="already classifies"):
            dataaudit.score(model, words, scorer, processor=tokenizer(), progress=False)


def test_a_pretrained_model_from_a_folder(tmp_path, examples):
    seeded().save_pretrained(tmp_path)
    tokenizer().save_pretrained(tmp_path)
    load = transformers.AutoModelForSequenceClassification.from_pretrained
    learner = as_learner(
        lambda: load(tmp_path), examples, SHORT, "cpu", transformers.AutoTokenizer.from_pretrained(tmp_path)
    )
    same = as_learner(seeded(), examples, SHORT, "cpu", tokenizer())
    a, b = (one.fit(np.arange(90), 0, None, False).logits(np.arange(9)) for one in (learner, same))
    assert torch.equal(a, b)


def test_a_reset_starts_from_the_configuration(examples):
    model = seeded()
    model.bert.embeddings.requires_grad_(False)
    learner = as_learner(model, examples, Recipe(init="reset"), "cpu", tokenizer())
    made = learner.module(3)
    torch.manual_seed(3)
    fresh = bert()
    for name, value in made.state_dict().items():
        assert torch.equal(value, fresh.state_dict()[name]), name
    assert not made.bert.embeddings.word_embeddings.weight.requires_grad
    model.classifier = nn.Linear(16, 4)
    with pytest.raises(ModelError, match="configuration does not describe"):
        as_learner(model, examples, Recipe(init="reset"), "cpu", tokenizer()).module(0)


@pytest.mark.parametrize("space", ["hidden", "gradient"])
def test_densities_of_representations(space, words):
    recipe = Recipe(epochs=1, batch_size=30, optimizer="adamw", learning_rate=5e-3, precision="float32")
    audit = dataaudit.score(seeded(), words, f"density/{space}", processor=tokenizer(), recipe=recipe, progress=False)
    assert np.isfinite(audit.columns[f"density/{space}"]).all()


def test_gradients_of_all_parameters_are_sketched_for_images_and_refused_for_texts(words):
    images_only = dataaudit.score(vit, images(), "density/gradient_sketch", recipe=SHORT, progress=False)
    assert np.isfinite(images_only.columns["density/gradient_sketch"]).all()
    with pytest.raises(ModelError, match="cannot be differentiated example by example"):
        dataaudit.score(bert, words, "density/gradient_sketch", processor=tokenizer(), progress=False)


def test_a_layer_that_runs_on_every_token_is_named(words):
    with pytest.raises(ModelError, match=r"attention.self.query.*density/gradient_sketch"):
        dataaudit.score(seeded(), words, "density/gradient_linear", processor=tokenizer(), progress=False)


def test_the_hidden_layer_is_what_the_classifier_sees(words, examples):
    from dataaudit.representations.collect import represent

    fitted = as_learner(seeded(), examples, SHORT, "cpu", tokenizer()).untrained()
    wanted = Space("hidden"), Space("gradient")
    found = represent(fitted, wanted, examples.labels, 0, False)
    model = seeded().eval()
    pooled, gradients = [], []
    for text, label in zip(*words, strict=True):
        inputs = tokenizer()(text, return_tensors="pt")
        pooled.append(model.bert(**inputs).pooler_output[0].detach())
        loss = model(**inputs, labels=torch.tensor([label])).loss
        gradients.append(torch.autograd.grad(loss, model.classifier.weight)[0])
    rows, described = found[wanted[0]]
    assert described["layer"] == "classifier"
    np.testing.assert_allclose(rows, torch.stack(pooled), rtol=1e-4, atol=1e-5)
    (factors,), _ = found[wanted[1]]
    mine = factors.delta[:, :, None] * factors.inputs[:, None, :]
    np.testing.assert_allclose(mine, torch.stack(gradients), rtol=1e-3, atol=1e-5)


def test_holdout_runs_in_processes_are_those_in_one(words):
    recipe = Recipe(epochs=1, batch_size=16, optimizer="adamw", learning_rate=5e-3, precision="float32")
    found = []
    for backend in ("serial", dataaudit.backends.Joblib(n_jobs=1)):
        holdout = dataaudit.Holdout(runs=4, ratio=0.7, backend=backend)
        given = {"processor": tokenizer(), "recipe": recipe, "holdout": holdout, "progress": False}
        audit = dataaudit.score(bert, words, ["c_score", "holdout_probability"], **given)
        found.append(audit.columns["holdout_probability"])
    np.testing.assert_allclose(found[0], found[1], rtol=1e-4, atol=1e-5, equal_nan=True)


def test_identity_tells_tokenizers_apart(examples):
    def identity(**options):
        return as_learner(seeded(), examples, SHORT, "cpu", tokenizer(**options)).identity

    assert identity() == identity()
    assert len({identity(), identity(limit=9), identity(padding_side="left")}) == 3


def test_new_images_and_texts_are_those_that_are_judged(words):
    pixels, labels = images()
    audit = dataaudit.score(vit, (pixels.transpose(0, 2, 3, 1), labels), "el2n", recipe=SHORT, progress=False)
    every = audit.score_new(pixels.transpose(0, 2, 3, 1))["max_confidence"].to_numpy()
    some = audit.score_new(pixels[[9, 4, 7]].transpose(0, 2, 3, 1))["max_confidence"].to_numpy()
    np.testing.assert_allclose(some, every[[9, 4, 7]], rtol=1e-5)
    assert len(np.unique(every)) > 30
    texts, _ = words
    audit = dataaudit.score(bert, words, "el2n", processor=tokenizer(), recipe=SHORT, progress=False)
    every = audit.score_new(texts, by="hidden")["max_confidence"].to_numpy()
    some = audit.score_new([texts[row] for row in (9, 4, 7)], by="hidden")["max_confidence"].to_numpy()
    np.testing.assert_allclose(some, every[[9, 4, 7]], rtol=1e-5)


def gpt(**options):
    config = transformers.GPT2Config(
        vocab_size=len(WORDS), n_positions=12, n_embd=16, n_layer=1, n_head=2, num_labels=3, **options
    )
    return transformers.GPT2ForSequenceClassification(config)


def test_a_decoder_with_a_padding_token(examples):
    learner = as_learner(lambda: gpt(pad_token_id=0), examples, SHORT, "cpu", tokenizer())
    learner.check(0)
    recorder = Recorder(90, 3)
    learner.fit(np.arange(90), 0, recorder, False)
    assert recorder.epochs == 2


NO_TOKENS = tokenizer()
NO_TOKENS.pad_token = None


@pytest.mark.parametrize(
    ("model", "processor", "error", "message"),
    [
        (bert, None, ModelError, r"without a tokenizer.*pass processor=AutoTokenizer"),
        (lambda: bert(name_or_path="saved"), None, ModelError, r"processor=AutoTokenizer.from_pretrained\('saved'\)"),
        (bert, image_processor(), ModelError, "expected a transformers tokenizer"),
        (bert, tokenizer()._tokenizer, ModelError, "PreTrainedTokenizerFast"),
        (bert, NO_TOKENS, ModelError, "without a padding token.*pad_token = tokenizer.eos_token"),
        (gpt, tokenizer(), ModelError, "pad_token_id None of the model and 0 of the tokenizer"),
        (lambda: bert(num_labels=4), tokenizer(), ModelError, r"outputs of shape \(2, 4\).*num_labels=3"),
        (lambda: bert(vocab_size=9), tokenizer(), ModelError, "tokenizer of 25 tokens for a .* of 9"),
        (lambda: bert(problem_type="regression"), tokenizer(), ModelError, "problem_type='regression'"),
        (lambda: bert(id2label={0: "1", 1: "0", 2: "2"}), tokenizer(), ModelError, "in this order"),
        (
            lambda: transformers.BertModel(bert_config()),
            tokenizer(),
            ModelError,
            r"no logits \[batch, classes\].*AutoModelForSequenceClassification",
        ),
        (
            lambda: transformers.BertForMaskedLM(bert_config()),
            tokenizer(),
            ModelError,
            r"no logits \[batch, classes\], but \(2, \d+, 25\)",
        ),
        (lambda: nn.Linear(6, 3), tokenizer(), SettingError, "processor= for Linear"),
        (dataaudit.LinearProbe(), tokenizer(), SettingError, "processor= for LinearProbe"),
        (None, tokenizer(), SettingError, "processor= for no model"),
        ("bert-base-uncased", tokenizer(), ModelError, r"type str.*from_pretrained\('bert-base-uncased'\)"),
        (vit, None, DataError, "for an image model"),
        (vit, tokenizer(), ModelError, "expected a transformers image processor"),
    ],
)
def test_bad_input_is_refused_before_training(examples, model, processor, error, message):
    with pytest.raises(error, match=message):
        as_learner(model, examples, None, "cpu", processor).check(0)


def test_texts_without_a_token_are_named():
    bare = tokenizer()
    bare._tokenizer.post_processor = processors.TemplateProcessing(single="$A", special_tokens=[])
    bare._tokenizer.normalizer = normalizers.Replace("?", "")
    with pytest.raises(DataError, match="no token in rows 1, 4"):
        as_learner(bert, as_examples((["a0", "?", "b0", "c0", "?", "a1"], [0, 1, 2] * 2)), None, "cpu", bare).check(0)


def test_recipes_by_name():
    assert dataaudit.recipes.get("transformer") is TRANSFORMER
    assert dataaudit.recipes.get("finetune") is FINETUNE
    assert FINETUNE.init == "keep"
