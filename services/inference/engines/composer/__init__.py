"""The built-in composer: writes a score from a prompt and plays it with its own synths.

prompt → Understanding → Plan → Score → stems → mix → master. Each arrow is one module,
and what passes between them is plain data.
"""
