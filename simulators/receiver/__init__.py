"""Plays the systems that are told of signed forms: checks the signature, takes each delivery once, fails on request."""
