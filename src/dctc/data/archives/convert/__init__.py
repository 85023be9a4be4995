"""Official archives to LMDB: one module per family of archives, one writer for all.

Labels are stored as the archive has them, since protocols are applied on reading. Images are
stored byte for byte where the archive holds crops; crops out of larger images are stored as PNG.
"""

from dctc.data.archives.convert.kinds import KINDS, Kind, convert
from dctc.data.archives.convert.word import Word

__all__ = ["KINDS", "Kind", "Word", "convert"]
