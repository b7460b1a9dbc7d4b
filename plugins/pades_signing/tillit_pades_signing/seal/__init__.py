"""The sealed file: an exact prefix, a page to read, the evidence, the bank's seal, and later its time-stamps."""
