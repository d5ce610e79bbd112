"""The runner: claims jobs, has them done by a worker service, commits what was made."""
