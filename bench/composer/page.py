"""The listening page: a row a prompt, a column a seed; one file that needs nothing else."""

from __future__ import annotations

import base64
import html
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from bench.composer import judge
from bench.composer.musicnn import TAGS, Heard

if TYPE_CHECKING:
    from bench.composer.listen import Take

STYLE = """
:root{color-scheme:light dark;--page:light-dark(#dfdfdb,#0e1012);
--panel:light-dark(#efefec,#17191c);--line:light-dark(#c6c6c0,#2b2f34);
--ink:light-dark(#17191b,#e9e8e3);--muted:light-dark(#575955,#a0a3a3);
--accent:light-dark(#c9340f,#ff6a48);--bad:light-dark(#a3220a,#ff8d73);
--good:light-dark(#1d6b4a,#66c79a);--glass:light-dark(#0d1c26,#08131a)}
:root[data-theme=light]{color-scheme:light}:root[data-theme=dark]{color-scheme:dark}
*{box-sizing:border-box}
body{font:15px/1.5 system-ui,sans-serif;background:var(--page);color:var(--ink);margin:0 auto;
max-width:1480px;padding:1.2rem clamp(.8rem,3vw,2.4rem) 4rem}
header{display:flex;flex-wrap:wrap;gap:.4rem 1.6rem;align-items:baseline}
h1{font-size:1.35rem;margin:0}header p{margin:0;color:var(--muted);flex:1 1 20rem}
fieldset{border:0;padding:0;margin:0;display:flex;gap:.9rem;color:var(--muted)}
label:has(:checked){color:var(--ink)}input{accent-color:var(--accent)}
h2{font-size:1rem;font-weight:600;margin:0}
.row{border-top:1px solid var(--line);margin-top:1.4rem;padding-top:.9rem}
.takes{display:grid;gap:.9rem;margin-top:.7rem;
grid-template-columns:repeat(auto-fit,minmax(min(100%,22rem),1fr))}
article{background:var(--panel);border:1px solid var(--line);border-radius:6px;padding:.8rem;
min-width:0}
h3{font-size:.95rem;margin:0;display:flex;gap:.6rem;justify-content:space-between;
align-items:baseline}h3 small{font-weight:400;color:var(--muted);white-space:nowrap}
.told{margin:.1rem 0 .5rem;color:var(--muted);font-size:.87rem}
audio{width:100%;height:2.6rem;display:block}
.glass{background:var(--glass);border-radius:4px;overflow:hidden;margin:.5rem 0}
.glass img{display:block;width:100%}
dl{display:grid;grid-template-columns:repeat(auto-fill,minmax(7.2rem,1fr));gap:.35rem .8rem;
margin:.5rem 0 0;font-size:.87rem}dl div{min-width:0}dt{color:var(--muted);font-size:.75rem}
dd{margin:0;font-variant-numeric:tabular-nums}.off{color:var(--bad)}.on{color:var(--good)}
details{margin-top:.5rem;font-size:.87rem}summary{cursor:pointer;color:var(--muted)}
summary:focus-visible,input:focus-visible{outline:2px solid var(--accent);outline-offset:2px}
.stem{display:grid;grid-template-columns:6rem 1fr;align-items:center;gap:.6rem;margin-top:.3rem}
"""
SCRIPT = """
document.querySelectorAll('input[name=theme]').forEach(input => input.onchange = () => {
  document.documentElement.dataset.theme = input.value });
document.addEventListener('play', event => document.querySelectorAll('audio').forEach(other => {
  if (other !== event.target) other.pause() }), true);
"""


def write(takes: Sequence[Take], verdict: judge.Verdict | None, names: Mapping[int, str]) -> str:
    """Return the page. `names` says by a take's id what the judge takes it for."""
    rows = []
    ordered = sorted(takes, key=lambda take: take.order.loop)
    prompts = dict.fromkeys(take.order.prompt for take in ordered)
    for prompt in prompts:
        group = [take for take in ordered if take.order.prompt == prompt]
        cards = "".join(_card(take, names.get(id(take), "")) for take in group)
        title = html.escape(prompt)
        rows.append(
            f'<section class="row"><h2>“{title}”</h2><div class="takes">{cards}</div></section>'
        )
    themes = "".join(
        f'<label><input type="radio" name="theme" value="{value}"{checked}> {name}</label>'
        for value, name, checked in (
            ("", "System", " checked"), ("light", "Light", ""), ("dark", "Dark", "")
        )
    )  # fmt: skip
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>The composer, to listen to'
        '</title><meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<style>{STYLE}</style><header><h1>The composer</h1><p>{_verdict(verdict)}</p>"
        f'<fieldset aria-label="Theme">{themes}</fieldset></header>'
        f"<main>{''.join(rows)}</main><script>{SCRIPT}</script></html>\n"
    )


def _verdict(verdict: judge.Verdict | None) -> str:
    if verdict is None:
        return "Rendered without the judge."
    told = f"The judge takes {verdict.right:.0%} of the pieces for the family asked for."
    if math.isnan(verdict.auc):  # with one seed there are no two to compare
        return told
    return (
        f"{told} Distances: two seeds of a prompt {verdict.seeds:.2f}, prompts of different "
        f"families {verdict.others:.2f}; AUC {verdict.auc:.3f}."
    )


def _card(take: Take, sounds_like: str) -> str:
    plan, order = take.plan, take.order
    kind = f"loop, {plan['bars']} bars" if order.loop else f"seed {order.seed}"
    told = (
        f"{html.escape(take.made.genre)} · {take.made.tempo_bpm:g} bpm · "
        f"{html.escape(take.made.musical_key)} · {plan['metre']}"
    )
    pictures = "".join(
        f'<img alt="{name}" src="{_data("image/png", picture)}">'
        for name, picture in take.pictures.items()
    )
    loops = " loop" if order.loop else ""
    stems = "".join(
        f'<div class="stem"><span>{html.escape(name)}</span><audio controls preload="none" '
        f'src="{_data("audio/mpeg", audio)}"></audio></div>'
        for name, audio in itertools.islice(take.audio.items(), 1, None)
    )
    return (
        f"<article><h3>{html.escape(take.made.title)} <small>{kind}</small></h3>"
        f'<p class="told">{told}</p>'
        f'<audio controls preload="none"{loops} src="{_data("audio/mpeg", take.audio["Mix"])}">'
        f'</audio><div class="glass">{pictures}</div>'
        f"<dl>{_facts(take, sounds_like)}</dl>"
        f"<details><summary>Plan</summary>{_plan(take)}</details>"
        f"{f'<details><summary>Stems</summary>{stems}</details>' if stems else ''}</article>"
    )


def _facts(take: Take, sounds_like: str) -> str:
    facts = take.facts
    bpm = take.made.tempo_bpm or 0.0
    off = abs(take.bpm_heard / bpm - 1) > 0.01 if bpm else True
    figures: list[tuple[str, str, bool | None]] = [
        ("tempo heard", f"{take.bpm_heard:.1f} bpm", None if off else True),
        ("key heard", take.key_heard, take.key_agrees or None),
        ("loudness", f"{facts.loudness_lufs:.2f} LUFS", abs(facts.loudness_lufs + 14) <= 0.3),
        ("true peak", f"{facts.true_peak_dbtp:.2f} dBTP", facts.true_peak_dbtp <= -1),
        ("side/mid", f"{facts.side_mid_db:.1f} dB", None),
        ("under 120 Hz", f"{facts.side_mid_low_db:.1f} dB", facts.side_mid_low_db <= -20),
        ("99 % below", f"{facts.rolloff_hz / 1000:.1f} kHz", None),
        ("clicks", f"{len(facts.click_frames)}", None),
        ("silence", f"{facts.silence_s:.2f} s", facts.silence_s <= 0.5),
        ("speed", f"{take.speed:.0f} × real time", take.speed >= 12),
    ]
    if take.seam:
        exact = take.seam.frames == take.seam.frames_expected
        figures += [
            ("seam", f"{take.seam.ratio:.2f} of a bar line", take.seam.ratio <= 1 or None),
            ("length", "exact" if exact else "not whole bars", exact),
        ]
    if sounds_like:
        asked = judge.FAMILY_OF.get(take.plan["family"], "")
        figures.insert(0, ("sounds like", sounds_like, sounds_like == asked))
    if take.heard:
        figures.append(("tags", _tags(take.heard), None))
    return "".join(_figure(*figure) for figure in figures)


def _figure(name: str, value: str, holds: bool | None) -> str:
    style = {True: ' class="on"', False: ' class="off"', None: ""}[holds]
    wide = ' style="grid-column:1/-1"' if name == "tags" else ""
    return f"<div{wide}><dt>{name}</dt><dd{style}>{html.escape(value)}</dd></div>"


def _tags(heard: Heard, count: int = 6) -> str:
    shares: dict[str, float] = {}
    for name, share in zip(TAGS, heard.tags, strict=True):  # some are tags of both models
        tag = name.partition(":")[2]
        shares[tag] = max(shares.get(tag, 0.0), float(share))
    likeliest = sorted(shares, key=shares.__getitem__, reverse=True)[:count]
    return " · ".join(f"{tag} {shares[tag]:.0%}" for tag in likeliest)


def _plan(take: Take) -> str:
    plan = take.plan
    form = " · ".join(f"{section['kind']} {section['bars']}" for section in plan["sections"])
    cast = " · ".join(f"{part}: {name.replace('_', ' ')}" for part, name in plan["parts"].items())
    chords = _pairs((kind, " ".join(one["chords"])) for kind, one in plan["progressions"].items())
    return f"<p>{html.escape(form)}<br>{html.escape(cast)}<br>{html.escape(chords)}</p>"


def _pairs(pairs: Iterable[tuple[str, str]]) -> str:
    return " · ".join(f"{name}: {value}" for name, value in pairs)


def _data(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"
