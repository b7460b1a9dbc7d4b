"""The demo: every process of a meeting on this computer, a guide to who is who, and the rehearsal."""
