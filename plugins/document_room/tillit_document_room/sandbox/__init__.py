"""What runs in the separate process: everything that reads bytes a stranger sent.

These modules import the standard library, pypdf, pypdfium2 and Pillow, and nothing of the product: the process
holds no settings, no keys and no connection, so whoever takes it over has the one document they brought.
"""
