"""What we talk to: databases, files, keys, the bridge."""
