"""Audit labelled texts by their words alone, and with a small transformer that is trained from random weights."""

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
from transformers import BertConfig, BertForSequenceClassification, PreTrainedTokenizerFast

import dataaudit

rng = np.random.default_rng(0)
words = {
    "sport": ["match", "goal", "team", "coach", "league", "score"],
    "weather": ["rain", "wind", "cloud", "storm", "sun", "frost"],
    "money": ["bank", "price", "market", "loan", "share", "tax"],
}
topics = list(words)
labels = [topics[i % 3] for i in range(300)]
common = ["the", "and", "of", "new", "today", "over"]
texts = [" ".join(rng.permutation([*rng.choice(words[topic], 3), *rng.choice(common, 4)])) for topic in labels]
wrong = rng.choice(300, 12, replace=False)
for row in wrong:
    labels[row] = topics[(topics.index(labels[row]) + 1) % 3]

by_words = dataaudit.score(None, (texts, labels), progress=False)
found = len(set(wrong.tolist()) & set(by_words.ranking()[:12].tolist()))
print(f"without a model {found} of 12 wrong labels are among the 12 most suspicious")
assert found >= 11

spelling = Tokenizer(models.WordLevel(unk_token="[UNK]"))
spelling.pre_tokenizer = pre_tokenizers.Whitespace()
spelling.train_from_iterator(texts, trainers.WordLevelTrainer(special_tokens=["[PAD]", "[UNK]"]))
tokenizer = PreTrainedTokenizerFast(tokenizer_object=spelling, pad_token="[PAD]", unk_token="[UNK]")
config = BertConfig(
    vocab_size=spelling.get_vocab_size(),
    hidden_size=32,
    num_hidden_layers=1,
    num_attention_heads=2,
    intermediate_size=64,
    num_labels=3,
)

audit = dataaudit.score(
    lambda: BertForSequenceClassification(config),
    (texts, labels),
    processor=tokenizer,
    recipe=dataaudit.Recipe(epochs=10, batch_size=16, optimizer="adamw", learning_rate=3e-3),
    progress=False,
)
print(audit.suspects(12))
found = len(set(wrong.tolist()) & set(audit.ranking()[:12].tolist()))
print(f"{found} of 12 wrong labels are among the 12 most suspicious")
assert found >= 11
