"""All that an engine host needs: a base class to fill in and a server to run it.

A host in another environment installs this package and nothing else of the studio.
"""
