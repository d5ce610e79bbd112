"""The whole studio on one machine: starts its parts, keeps them running, ends them."""
