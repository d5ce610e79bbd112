"""How fast DiffRhythm is at its true size, with synthetic weights."""
