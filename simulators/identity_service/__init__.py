"""The bank's identity service, played: an OpenID provider with invented staff.

Speaks OpenID Connect Core 1.0, Discovery 1.0, RFC 6749, RFC 7636 (PKCE),
RFC 7523 (private_key_jwt) and RFC 9207.
"""
