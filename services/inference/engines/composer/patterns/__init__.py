"""Pattern makers: each writes one part of one section as events in beats."""
