"""From lyrics as people write them to one token for each frame of a song.

| module | what it does |
|---|---|
| `lrc.py`, `sheet.py` | reads lyrics with times (LRC) or without |
| `syllables.py`, `timing.py` | gives plain lyrics their times |
| `segments.py` | splits a line by language: English, Chinese, and what can't be sung |
| `english_text.py`, `english_numbers.py`, `english.py` | English text and its phones |
| `espeak.py`, `espeak_process.py` | espeak-ng, in a process of its own (GPL) |
| `chinese.py`, `chinese_numbers.py`, `chinese_sounds.py` | the same for Chinese (unverified) |
| `symbols.py`, `tokenizer.py` | what the model can sing; a line's tokens |
| `frames.py`, `alignment.py` | when each token is sung |
| `check.py` | which lines won't fit, and why |

Only `espeak_process.py` and `chinese.py` need packages of the engine's own environment.
"""
