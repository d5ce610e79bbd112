"""The jobs service under load, from outside: python -m bench.jobs."""
