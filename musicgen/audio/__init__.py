"""Audio itself: formats, reading and writing in blocks. Knows no gRPC."""
