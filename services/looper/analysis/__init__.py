"""Where the loops of a piece are, and how well each would repeat."""
