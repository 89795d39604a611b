"""What the owner did with each message, and how the labelled messages are split."""
