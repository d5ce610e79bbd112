"""The autoencoder (Oobleck) between audio and latents."""
