"""Words as the tokens of XLM-RoBERTa, by the tokenizer that is published with it."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from musicgen.errors import ModelUnusable
from services.inference.engines.diffrhythm.mulan.config import RobertaConfig


class Tokens:
    """Makes tokens of texts."""

    def __init__(self, path: Path, config: RobertaConfig) -> None:
        """`path` is a tokenizer.json. Raises ModelUnusable for what is none."""
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # it raises nothing narrower
            raise ModelUnusable(f"{path.name} is no tokenizer that can be read.") from error
        tokenizer.no_padding()
        # There are only so many positions. What is beyond them is left out; the marks at both
        # ends stay.
        tokenizer.enable_truncation(config.max_tokens)
        self._tokenizer, self._config, self._file = tokenizer, config, path.name

    def of_text(self, text: str) -> list[int]:
        """Return 1 to `max_tokens` tokens, of which the first and the last mark the ends."""
        tokens: list[int] = self._tokenizer.encode(text).ids
        if not tokens or max(tokens) >= self._config.vocabulary:
            raise ModelUnusable(
                f"{self._file} makes tokens that the model doesn't know.",
                remedy="Install XLM-RoBERTa base again.",
            )
        return tokens
