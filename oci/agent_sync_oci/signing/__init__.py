"""Signing and checking of Sigstore bundles: with keys of cosign's kind, or keyless, under an identity.

Statements, keys and trusted roots go in as bytes; signed bundles and what a good one says come out. Checking never
touches the network. `sigstore`, `cryptography` and `nacl` are loaded by the first call that needs them.
"""
