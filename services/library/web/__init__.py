"""The HTTP side: audio bytes, peaks, uploads, downloads and the built frontend."""
