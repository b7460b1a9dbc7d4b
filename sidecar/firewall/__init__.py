"""Looks at shared pictures for a canary, in a process that can do nothing else. Keeps none of them."""
