"""The trained networks that the package brings; the model card lies beside them."""

from pathlib import Path

NAME = "pretrained"
PRETRAINED = Path(__file__).with_name("faces.safetensors")
