"""DiffRhythm: songs from lyrics and a style, by flow matching over audio latents."""
