"""The built-in avatars: varied anime faces that the package draws itself, fixed by a seed."""

from animegan_cli.avatars.drawing import draw_avatar
from animegan_cli.avatars.files import write_avatars

__all__ = ["draw_avatar", "write_avatars"]
