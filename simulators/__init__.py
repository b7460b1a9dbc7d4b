"""Local stand-ins that speak the real remote protocols. Processes of their own; never part of the image."""
