"""Ways to sign that need no eID: on the screen, and by a code to the telephone. The form must allow them."""
