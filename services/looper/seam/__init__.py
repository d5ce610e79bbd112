"""The seam: how a cycle's end is led into its start, and how clean that came out."""
