"""A stand-in for a trust service: a time-stamp authority (RFC 3161), the CA of the bank's seal, and both CRLs."""
