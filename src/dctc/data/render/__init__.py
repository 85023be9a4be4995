"""Words to images: fonts, texts, painters, recipes."""
