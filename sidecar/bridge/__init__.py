"""The media process: a selective forwarding unit that never decodes what people say or show."""
