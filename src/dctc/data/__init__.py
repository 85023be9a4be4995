"""Scene-text data: LMDB sets, rendered words, and the LightningDataModules that serve them."""
