"""The policy: the model, its calibration and decisions, and the checkpoint that carries it."""
