"""What happens: one file per act in a meeting's life, written against ports."""
