"""For every test in a real browser: how long it may take until something is so."""

from playwright.sync_api import expect

# Only what never comes to hold waits this long: a busy machine is slow here, and not wrong.
PATIENCE_MS = 30_000

expect.set_options(timeout=PATIENCE_MS)
