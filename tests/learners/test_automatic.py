import numpy as np
import pytest
import torch
from torch import nn

import dataaudit
from dataaudit import networks, recipes
from dataaudit.data import as_examples
from dataaudit.errors import ModelError, SettingError
from dataaudit.learners.adapt import as_learner, resolve_recipe
from dataaudit.learners.automatic import batch_size, crop
from dataaudit.learners.recipes import CropFlip, Recipe
from dataaudit.pipeline.evidence_sources.evaluations import spent


def natural(n=400, side=32, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (n, 3, side, side), dtype=np.uint8), np.arange(n) % 4


def learner(model, data, recipe=None):
    found = as_learner(model, as_examples(data), resolve_recipe(recipe), "cpu")
    found.check(0)
    return found


def test_images_are_cropped_mirrored_and_evaluated():
    recipe = learner(networks.BlockCNN(3, 4), natural()).recipe
    assert recipe.augment == CropFlip(4, True)
    assert recipe.weight_decay > 0
    assert recipe.evaluations == recipe.epochs // 4
    assert spent(recipe.epochs, recipe.evaluations * len(recipe.views)) <= 16.1


def test_images_with_a_side_are_not_mirrored():
    inputs, labels = natural()
    inputs[..., :16] //= 4
    found = learner(networks.BlockCNN(3, 4), (inputs, labels))
    assert found.recipe.augment == CropFlip(4, False)
    assert found.description["recipe_chosen"]["mirrored images told from the others"] > 0.9


@pytest.mark.parametrize(
    ("shape", "pixels"),
    [((3, 32, 32), 4), ((1, 8, 8), 1), ((1, 28, 28), 3), ((3, 64, 48), 4), ((3, 224, 256), 28), ((3, 3, 3), 0)],
)
def test_crops_go_by_an_eighth_of_the_shorter_side(shape, pixels):
    assert crop(shape) == pixels
    assert pixels // 2 <= crop(shape, deep=False) <= -(-pixels // 2)


def test_few_examples_are_trained_on_in_smaller_batches():
    assert [batch_size(n, 14) for n in (300, 1000, 3000, 10000, 60000)] == [32, 32, 64, 64, 128]
    assert [batch_size(n, 14, deep=False) for n in (300, 3000, 10000)] == [32, 64, 128]
    few, many = (learner(networks.BlockCNN(3, 4), natural(n, 9)).recipe for n in (200, 3000))
    assert few.learning_rate / few.batch_size == many.learning_rate / many.batch_size


def test_networks_without_convolutions_train_as_they_did():
    inputs, labels = natural(60)
    assert learner(networks.MLP(3 * 32 * 32, 4), (inputs, labels)).recipe == Recipe()


@pytest.mark.parametrize(
    ("shape", "model"),
    [
        ((3, 3, 3), nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(36, 4))),
        ((3, 1, 20), nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(80, 4))),
        ((3, 20, 1), nn.Sequential(nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(80, 4))),
        ((12, 25), nn.Sequential(nn.Unflatten(1, (3, 4)), nn.Conv2d(3, 4, 1), nn.Flatten(), nn.Linear(400, 4))),
    ],
)
def test_an_augmentation_that_inputs_cannot_take_is_left_out_with_a_note(shape, model):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(80, *shape)).astype(np.float32)
    audit = dataaudit.score(model, (inputs, np.arange(80) % 4), recipe=recipes.auto(epochs=2), progress=False)
    assert np.isfinite(audit.columns["consensus"]).all()
    assert any("cropped" in note for note in audit.settings["notes"])


def test_a_recipe_that_was_asked_for_means_what_it_says():
    data = natural(40)
    assert learner(networks.BlockCNN(3, 4), data, Recipe(epochs=3)).recipe == Recipe(epochs=3)
    assert learner(networks.BlockCNN(3, 4), data, "plain").recipe == Recipe()
    small = np.zeros((40, 3, 3, 3), np.float32), data[1]
    model = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.Flatten(), nn.Linear(36, 4))
    with pytest.raises(ModelError, match=r"of more than 4 pixels a side"):
        learner(model, small, Recipe(augment=CropFlip(4, True)))


def test_the_length_is_all_that_auto_takes():
    short, usual = (learner(networks.BlockCNN(3, 4), natural(), recipes.auto(epochs=e)).recipe for e in (6, None))
    assert short.epochs == 6
    assert short.evaluations == 1
    assert short.weight_decay == usual.weight_decay
    assert resolve_recipe("auto") is resolve_recipe(recipes.auto()) is resolve_recipe(None) is None


def test_holdout_runs_share_the_choice_that_was_made_for_all_rows():
    found = learner(networks.BlockCNN(3, 4), natural())
    scratch = found.from_scratch()
    scratch.check(1)
    assert scratch.recipe.augment == found.recipe.augment
    assert scratch.recipe.batch_size == found.recipe.batch_size


def test_evaluations_are_evidence_beside_training_passes_and_cost_no_pass_twice():
    inputs, labels = natural(64)
    seen = []

    class Watched(networks.BlockCNN):
        def forward(self, x):
            if not self.training:
                seen.append(len(x))
            return super().forward(x)

    recipe = Recipe(epochs=4, evaluations=2, augment=CropFlip(4, True))
    audit = dataaudit.score(lambda: Watched(3, 4), (inputs, labels), recipe=recipe, progress=False)
    assert audit.settings["passes"] == round(4 + 4 / 3, 2)
    # Two epochs of two views, of which the last as it is gives predictions and layers; fresh weights are not looked at.
    assert sum(size for size in seen if size > 2) == 4 * 64
    assert "augmented_el2n" in audit.columns


@pytest.mark.parametrize(
    ("evaluations", "flip", "scorers", "passes"),
    [
        (0, True, "mean_margin", 3),
        (0, True, "confidence", 3 + 1 / 3),
        (1, False, "auto", 3 + 1 / 3),
        (2, False, "auto", 3 + 2 / 3),
        (2, True, "auto", 3 + 4 / 3),
        (2, True, "mean_margin", 3),
    ],
)
def test_what_a_run_costs_is_counted_in_passes(evaluations, flip, scorers, passes):
    recipe = Recipe(epochs=3, evaluations=evaluations, augment=CropFlip(4, flip))
    audit = dataaudit.score(lambda: networks.BlockCNN(3, 4), natural(40), scorers, recipe=recipe, progress=False)
    assert audit.settings["passes"] == round(passes, 2)


def test_a_network_is_the_same_whether_evaluated_on_the_way_or_not():
    inputs, labels = natural(64)
    plain, watched = (
        dataaudit.score(
            lambda: networks.BlockCNN(3, 4),
            (inputs, labels),
            ["mean_margin", "confidence"],
            recipe=Recipe(epochs=3, evaluations=e),
            progress=False,
        )
        for e in (0, 2)
    )
    for name in plain.columns:
        assert np.array_equal(plain.columns[name], watched.columns[name])


def test_modules_that_view_their_outputs_keep_torchs_layout():
    class Viewing(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.linear = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 32 * 32, 4)

        def forward(self, x):
            return self.linear(self.convolution(x).view(len(x), -1))

    viewing, flat = learner(Viewing(), natural(40)), learner(networks.BlockCNN(3, 4), natural(40))
    assert not viewing.format.channels_last
    assert flat.format.channels_last
    assert flat.module(0)[0].weight.is_contiguous(memory_format=torch.channels_last)
    fitted = viewing.fit(np.arange(40), 0, None, False)
    assert fitted.logits(np.arange(40)).shape == (40, 4)


def test_what_gives_other_outputs_or_fails_with_channels_last_keeps_torchs_layout():
    class Strided(networks.SmallCNN):
        def forward(self, x):
            return super().forward(torch.as_strided(x, x.shape, (3072, 1024, 32, 1)))

    class Asserting(networks.SmallCNN):
        def forward(self, x):
            assert x.is_contiguous()
            return super().forward(x)

    class OnlyInTraining(nn.Module):
        def __init__(self):
            super().__init__()
            self.convolution, self.linear = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(4 * 32 * 32, 4)

        def forward(self, x):
            x = self.convolution(x)
            return self.linear(x.view(len(x), -1) if self.training else x.flatten(1))

    for model in (Strided(3, 4), Asserting(3, 4), OnlyInTraining()):
        found = learner(model, natural(40))
        assert not found.format.channels_last
        assert any(note.startswith("channels last in memory") for note in found.description["notes"])
        found.fit(np.arange(40), 0, None, False)


def test_a_memory_format_that_is_asked_for_is_taken_or_a_note_says_why_not():
    class Viewing(networks.SmallCNN):
        def forward(self, x):
            return super().forward(x.view(len(x), -1).view(x.shape))

    def asked(model, memory_format):
        return learner(model, natural(40), Recipe(epochs=1, memory_format=memory_format)).description

    last, first = (asked(networks.SmallCNN(3, 4), name) for name in ("channels_last", "contiguous"))
    assert (last["memory_format"], first["memory_format"]) == ("channels_last", "contiguous")
    assert not any("memory_format" in note for found in (last, first) for note in found["notes"])
    refused = asked(Viewing(3, 4), "channels_last")
    assert refused["memory_format"] == "contiguous"
    assert any("memory_format='channels_last' does not fit" in note for note in refused["notes"])
    assert asked(networks.SmallCNN(3, 4), "auto")["evaluation_batch"] == 1024
    with pytest.raises(SettingError, match="memory_format"):
        Recipe(memory_format="nhwc")


def test_parameters_of_five_dimensions_stay_as_they_are():
    class Five(networks.SmallCNN):
        def __init__(self):
            super().__init__(3, 4)
            self.spare = nn.Parameter(torch.zeros(1, 1, 1, 1, 1))

        def forward(self, x):
            return super().forward(x) + self.spare.sum()

    assert learner(lambda: Five(), natural(40)).format.channels_last


def test_crops_of_a_module_that_turns_images_itself_are_refused():
    class Turning(networks.SmallCNN):
        def forward(self, x):
            return super().forward(x.permute(0, 3, 1, 2))

    inputs, labels = natural(40)
    inputs = np.ascontiguousarray(inputs.transpose(0, 2, 3, 1))
    with pytest.raises(ModelError, match="channels, height, width"):
        learner(Turning(3, 4), (inputs, labels), Recipe(augment=CropFlip(2, True)))


def test_a_model_that_was_trained_before_has_no_recipe_that_was_chosen():
    torch.manual_seed(0)
    inputs, labels = natural(200)
    module, target = networks.SmallCNN(3, 4), torch.tensor(labels)
    optimizer = torch.optim.Adam(module.parameters(), 0.003)
    for _ in range(60):
        optimizer.zero_grad()
        torch.nn.functional.cross_entropy(module(torch.tensor(inputs) / 255), target).backward()
        optimizer.step()
    audit = dataaudit.score(module, (inputs, labels), progress=False)
    assert "passes" not in audit.settings
    assert "recipe_chosen" not in audit.settings


def test_what_a_model_draws_while_it_is_evaluated_goes_by_the_seed():
    class Dropping(networks.SmallCNN):
        def forward(self, x):
            return super().forward(torch.nn.functional.dropout(x, 0.2, True))

    def audit():
        return dataaudit.score(lambda: Dropping(3, 4), natural(60), recipe=recipes.auto(epochs=4), progress=False)

    torch.manual_seed(5)
    before = torch.random.get_rng_state()
    first = audit()
    assert torch.equal(before, torch.random.get_rng_state())
    torch.manual_seed(6)
    second = audit()
    for name, values in first.columns.items():
        np.testing.assert_array_equal(values, second.columns[name], err_msg=name)
