"""The policy: the model, its calibration and decision rules, and the checkpoint that stores it."""
