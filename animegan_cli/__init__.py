"""Train a GAN on a folder of avatars, draw new ones and rank them."""

__version__ = "0.1.0"
