"""The SQL stores: meetings and people, each a database of its own."""
