"""What people judge: preferences that no label holds."""
