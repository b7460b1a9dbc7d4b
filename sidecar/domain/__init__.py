"""What is true and what is allowed: pure values and decisions, no input or output."""
