"""The model card: what a person who finds a model directory has to know."""

from __future__ import annotations

from dataclasses import dataclass

from nmt.evaluation import Score, Scores
from nmt.models.config import ModelConfig


@dataclass
class Facts:
    """What a training run knows of the model that it made. ``minutes`` is the time spent training, validation included.

    ``is_best``: of all validations, that of ``step`` gave the highest BLEU.
    """

    languages: tuple[str, str]
    corpus: str
    pairs: int
    parameters: int
    step: int
    is_best: bool
    steps: int
    minutes: float
    device: str
    version: str
    config_yaml: str


def write_card(facts: Facts, config: ModelConfig, scores: Scores) -> str:
    """The card, in Markdown."""
    source, target = facts.languages
    return f"""# {source} → {target}

A translator made by `nmt` {facts.version}: an encoder–decoder ({config.describe()}),
{facts.parameters:,} parameters, trained on {facts.pairs:,} sentence pairs ({facts.corpus}).

    echo "…" | nmt translate DIRECTORY

On the validation set:

| metric | score | 95 % interval | signature |
|---|---|---|---|
{_row("BLEU", scores.bleu)}
{_row("chrF2", scores.chrf)}
{_row("TER", scores.ter)}

{_choice(facts)} Training took {facts.minutes:.1f} minutes on {facts.device}.
A translator like this one repeats what its corpus holds, its errors and prejudices included, and can be fluent and
wrong, most of all on text unlike its corpus.

## Configuration

```yaml
{facts.config_yaml.strip()}
```
"""


def _choice(facts: Facts) -> str:
    if not facts.is_best:
        return f"The weights are those of step {facts.step} of {facts.steps}."
    return f"""The weights are those of step {facts.step} of {facts.steps}, where BLEU on the validation set was highest,
so these scores flatter the model a little."""


def _row(name: str, score: Score) -> str:
    bounds = "{:.1f} to {:.1f}".format(*score.interval) if score.interval else "–"
    return f"| {name} | {score.score:.2f} | {bounds} | `{score.signature}` |"
