"""Drum grooves: sixteen steps of a bar of four, one string a drum.

X is an accent, x a hit, o a soft hit, ? a ghost note that comes by chance.
"""

from __future__ import annotations

GROOVES: dict[str, dict[str, str]] = {
    "boombap": {
        "kick": "X......x..X.....",
        "snare": "....X.......X..?",
        "hat": "x.o.x.o.x.o.x.o?",
    },
    "dusty": {
        "kick": "X.....x...x..?..",
        "snare": "....X..?....X...",
        "hat": "x.oox.o.x.oox.o.",
        "rim": "..........?....?",
    },
    "funk": {
        "kick": "X..x..x...x..x..",
        "snare": "....X..?.?..X..?",
        "hat": "xoxoxoxoxoxoxoxo",
    },
    "four_floor": {
        "kick": "X...X...X...X...",
        "clap": "....X.......X...",
        "open_hat": "..x...x...x...x.",
        "hat": "o.?oo.?oo.?oo.?o",
    },
    "four_floor_shuffle": {
        "kick": "X...X...X...X..?",
        "clap": "....X.......X...",
        "open_hat": "..x...x...x...x.",
        "shaker": "oxoxoxoxoxoxoxox",
        "rim": "...?..o....?..o.",
    },
    "techno": {
        "kick": "X...X...X...X...",
        "hat": "..X...X...X...X.",
        "shaker": "o.o.o.o.o.o.o.o.",
        "rim": "...x..x....x..?.",
        "clap": "............x...",
    },
    "techno_rolling": {
        "kick": "X...X...X...X...",
        "hat": "oxXxoxXxoxXxoxXx",
        "ride": "..x...x...x...x.",
        "tom": "...?....x..?..x.",
    },
    "taiko": {
        "kick": "X.....x.....x...",
        "tom": "x..o..x.o...x.oo",
        "rim": "..o...?...o...?.",
    },
    "taiko_march": {
        "kick": "X.......X.......",
        "tom": "x.oox.oox.ooxoxo",
        "snare": "....o.......o.oo",
    },
    "gated": {
        "kick": "X...X...X...X...",
        "snare": "....X.......X...",
        "hat": "x.o.x.o.x.o.x.o.",
        "tom": "..............?.",
    },
    "gated_half": {
        "kick": "X.....x...X.....",
        "snare": "....X.......X...",
        "hat": "x.x.x.x.x.x.x.x.",
    },
    "trap": {
        "kick": "X......x..X..?..",
        "snare": "........X.......",
        "hat": "x.x.x.x.x.x.xoxo",
        "open_hat": "..............?.",
    },
    "drill": {
        "kick": "X.....x...?..x..",
        "snare": "......x.......X.",
        "hat": "x..x..x.x..x..x.",
        "rim": "...?.......?....",
    },
    "ride": {
        "ride": "X...x.x.X...x.x.",
        "pedal_hat": "....x.......x...",
        "kick": "o...?...o...?...",
        "snare": "......?.......?.",
    },
    "ride_brush": {
        "ride": "x...X.o.x...X.o.",
        "pedal_hat": "....x.......x...",
        "brush": "x.o.x.o.x.o.x.o.",
        "kick": "o.......?.......",
    },
    "rock": {
        "kick": "X.....x.X.x.....",
        "snare": "....X.......X...",
        "hat": "X.x.X.x.X.x.X.x.",
    },
    "rock_drive": {
        "kick": "X..x..x.X..x..x.",
        "snare": "....X.......X..?",
        "hat": "X.x.X.x.X.x.X.x.",
    },
    "pop": {
        "kick": "X.....x.X.......",
        "snare": "....X.......X...",
        "clap": "....x.......x...",
        "hat": "x.x.x.x.x.x.x.x?",
    },
    "shaker": {
        "kick": "x.......x.....?.",
        "rim": "....x.......x...",
        "shaker": "x.oox.oox.oox.oo",
    },
    "train": {
        "kick": "x...x...x...x...",
        "brush": "oxoXoxoXoxoXoxoX",
        "shaker": "x.o.x.o.x.o.x.o.",
    },
    "two_step": {
        "kick": "X.........x.....",
        "snare": "....X..?.?..X...",
        "hat": "x.o.x.o.x.o.x.o?",
        "ride": "..o...o...o...o.",
    },
    "amen": {
        "kick": "X.x.......xx....",
        "snare": "....X..o.o..X..o",
        "hat": "x.x.x.x.x.x.x.x.",
        "open_hat": "..............?.",
    },
    "bossa": {
        "kick": "x..ox..ox..ox..o",
        "rim": "x..x..x...x..x..",
        "shaker": "xoxoxoxoxoxoxoxo",
    },
    "bossa_clave": {
        "kick": "x..ox..ox..ox..o",
        "rim": "..x..x...x..x..?",
        "brush": "xoooxoooxoooxooo",
        "pedal_hat": "....o.......o...",
    },
    "one_drop": {
        "kick": "........X.......",
        "rim": "........X.......",
        "snare": "..............?.",
        "hat": "x.o?x.o.x.o?x.o.",
    },
    "steppers": {
        "kick": "X...X...X...X...",
        "rim": "........X....?..",
        "hat": "..x...x...x...x.",
        "shaker": "o.o.o.o.o.o.o.o.",
    },
    "clave": {
        "kick": "x.....x.x.....x.",
        "rim": "X..X..X...X.X...",
        "shaker": "xoxoxoxoxoxoxoxo",
        "tom": "..o...xx..o...xx",
    },
    "cascara": {
        "kick": "X.....x.....x...",
        "rim": "X.x.xx.xX.x.xx.x",
        "pedal_hat": "....o.......o...",
        "tom": "..o...xx......xx",
    },
    "tight_funk": {
        "kick": "X.x.......X..x..",
        "snare": "....X..o.o..X..?",
        "hat": "XoxoXoxoXoxoXoxo",
        "open_hat": "..............?.",
    },
    "disco": {
        "kick": "X...X...X...X...",
        "snare": "....X.......X...",
        "open_hat": "..X...X...X...X.",
        "hat": "x..xx..xx..xx..x",
    },
    "chip": {
        "kick": "X.......X.x.....",
        "snare": "....X.......X...",
        "hat": "x.x.x.x.x.x.x.x.",
    },
    "chip_gallop": {
        "kick": "X..xX...X..xX...",
        "snare": "....X.......X..x",
        "hat": "x.oox.oox.oox.oo",
    },
}
"""Groove → drum → sixteen steps of a bar of four."""
