"""The recorder in a Jitsi conference: a hidden participant that hears, sees and sends nothing.

A process of its own, `python -m sidecar.bridge.jitsi`. It takes the same commands for a recording as our own bridge
and writes the same file. docs/recording.md tells the story; decision 0022 says why it is built of these parts.
"""
