"""The policy network and the checkpoint that carries it."""
