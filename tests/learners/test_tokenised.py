"""Data sets that were tokenised beforehand, and pairs of texts, for transformers models and without one."""

import numpy as np
import pandas as pd
import pytest
from datasets import Dataset
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

import dataaudit
from dataaudit.data import as_examples
from dataaudit.data.token_columns import TokenColumns
from dataaudit.errors import DataError
from dataaudit.learners.tokens import TokenBatches

WORDS = {0: "rain cloud wind storm", 1: "goal match team coach", 2: "bank loan price market"}
LABELS = np.arange(36) % 3
FIRST = [f"{WORDS[kind]} today" for kind in LABELS.tolist()]
SECOND = [" ".join(WORDS[kind].split()[: 1 + row % 4]) for row, kind in enumerate(LABELS.tolist())]
KNOWN = ["[PAD]", "[UNK]", "[SEP]", *sorted({word for text in FIRST for word in text.split()})]
RECIPE = dataaudit.Recipe(epochs=4, batch_size=12, optimizer="adamw", learning_rate=1e-2, precision="float32")


def tokenizer():
    spelling = Tokenizer(models.WordLevel({word: i for i, word in enumerate(KNOWN)}, unk_token="[UNK]"))
    spelling.pre_tokenizer = pre_tokenizers.Whitespace()
    pair = "$A [SEP] $B:1 [SEP]:1"
    spelling.post_processor = processors.TemplateProcessing("$A [SEP]", pair, [("[SEP]", 2)])
    names = ["input_ids", "token_type_ids", "attention_mask"]
    return PreTrainedTokenizerFast(tokenizer_object=spelling, pad_token="[PAD]", model_input_names=names)


VOCABULARY = len(KNOWN)


def bert(words=VOCABULARY):
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    return BertForSequenceClassification(BertConfig(vocab_size=words, num_labels=3, max_position_embeddings=24, **size))


def beforehand(padding=False, **columns):
    encoded = tokenizer()(FIRST, SECOND, padding="longest" if padding else False)
    return Dataset.from_dict({**columns, **encoded, "label": LABELS.tolist()})


@pytest.mark.parametrize("padding", [False, True])
def test_ids_that_were_kept_are_those_that_the_tokenizer_gives(padding):
    pairs = as_examples((pd.DataFrame({"a": FIRST, "b": SECOND}), LABELS))
    takes = ("input_ids", "token_type_ids", "attention_mask")
    made = TokenBatches(pairs, tokenizer(), takes, 12)
    kept = TokenBatches(as_examples(beforehand(padding)), None, takes, 12, known=len(KNOWN), padding=0)
    rows = np.array([5, 0, 2])
    np.testing.assert_array_equal(made.batch(rows), kept.batch(rows))


def test_a_model_trains_on_ids_without_a_tokenizer():
    labels = LABELS.copy()
    labels[5] = (LABELS[5] + 1) % 3
    dataset = beforehand().remove_columns(["label"]).add_column("label", labels)
    audit = dataaudit.score(bert(), dataset, recipe=RECIPE, progress=False)
    assert audit.suspects(1)["row"].tolist() == [5]
    with pytest.raises(DataError, match=r"beyond the 4 that the model knows in rows 0, 1"):
        dataaudit.score(bert(4), dataset, recipe=RECIPE, progress=False)
    for model in (None, make_pipeline(CountVectorizer(token_pattern=r"\w+"), LogisticRegression())):
        assert 5 in dataaudit.score(model, dataset, progress=False).suspects(3)["row"].tolist()


def test_texts_beside_ids_are_what_people_and_words_see():
    examples = as_examples(beforehand(text=FIRST))
    assert examples.show(0) == FIRST[0]
    assert examples.tokenised == ("input_ids", "attention_mask", "token_type_ids")


def test_pairs_of_texts_are_tokenised_together_and_need_no_model():
    labels = LABELS.copy()
    labels[4] = (LABELS[4] + 1) % 3
    notes = [f"note {row} {text}" for row, text in enumerate(SECOND)]
    for dataset in (
        (list(zip(FIRST, notes, strict=True)), labels),
        pd.DataFrame({"a": FIRST, "b": notes, "label": labels}),
    ):
        options = {"label": "label"} if isinstance(dataset, pd.DataFrame) else {}
        tuned = dataaudit.score(bert(), dataset, recipe=RECIPE, processor=tokenizer(), progress=False, **options)
        assert 4 in tuned.suspects(3)["row"].tolist()
        assert 4 in dataaudit.score(None, dataset, progress=False, **options).suspects(3)["row"].tolist()


def test_values_beside_ids_must_be_as_many():
    broken = Dataset.from_dict({"input_ids": [[1, 2], [3]], "attention_mask": [[1, 1], [1, 1]]})
    with pytest.raises(DataError, match=r"attention_mask.* in row 1;"):
        TokenColumns(broken).read(np.arange(2), ["input_ids"])
