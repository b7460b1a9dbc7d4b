"""The guide page of the demo: who is who, what to do, what has been done, and whether everything runs."""
