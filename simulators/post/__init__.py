"""The post, played: a mail server, a text message gateway and the bank's own inbox, and who reads them.

Speaks SMTP (RFC 5321) with STARTTLS and AUTH, and two JSON APIs with bearer tokens, signatures and
idempotency keys.
"""
