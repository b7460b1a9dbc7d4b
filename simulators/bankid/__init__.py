"""A stand-in for Swedish BankID: the Relying Party API v6.0 over mutual TLS, and a demo phone to answer with.

A process of its own; nothing of the product imports it. Start: python -m simulators.bankid --dir DIR.
"""
