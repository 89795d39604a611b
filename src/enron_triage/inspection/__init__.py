"""What a checkpoint is and how it was made: as text, as a configuration that reproduces it, as a model card."""
