"""How people and programs reach us: Flask pages, the open API, event streams."""
