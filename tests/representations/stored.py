"""A small network and data set whose representations are stored."""

import datasets
import torch

from dataaudit import Recipe, networks, score

SCORERS = ["density/hidden", "knn_c_score/hidden", "density/gradient", "relative_density/gradient_linear"]


def model():
    torch.manual_seed(0)
    return networks.MLP(6, 3, (16,))


def scored(data, folder, scorers=SCORERS, **options):
    options = {"recipe": Recipe(epochs=1), "engine": "reference", "progress": False, **options}
    return score(model(), data, scorers, cache=folder, **options)


def numbers(data):
    """A data set whose inputs lie in no array: columns of numbers."""
    columns = {f"x{place}": data[0][:, place] for place in range(data[0].shape[1])}
    return datasets.Dataset.from_dict({**columns, "label": data[1]})
