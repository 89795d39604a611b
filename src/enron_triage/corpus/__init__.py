"""Raw mail in, parsed records out."""
