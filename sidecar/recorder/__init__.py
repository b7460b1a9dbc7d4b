"""The recorder's parts, free of any process: frames out of RTP, Matroska, sealed files, a viewer's pictures.

Nothing here decodes while a meeting runs. The bridge feeds it; the web process reads what it wrote.
docs/recording.md describes the file format.
"""
