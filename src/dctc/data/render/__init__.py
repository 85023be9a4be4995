"""Render words as images: fonts, texts, painters, and the sets that are made of them.

:mod:`.fonts` finds fonts and :mod:`.typeface` examines them; :mod:`.corpora`, :mod:`.texts` and
:mod:`.chinese_lines` give texts; :mod:`.presets` has all magnitudes; :mod:`.renderer` draws a word
with the painters :mod:`.easy` and :mod:`.scene` (:mod:`.layout` of :mod:`.glyphs`,
:mod:`.colours`, :mod:`.degrade`); :mod:`.rendered_words` is the dataset, :mod:`.stored` keeps it in
an LMDB.
"""
