"""What the studio's services, its SDK and its CLI share. Imports no service."""

__version__ = "0.1.0"
