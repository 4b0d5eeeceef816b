"""Whom to believe about which bundle: policies as values, and the judgement on the signatures of one bundle.

A policy, a name, a digest and signature bundles go in; a verdict that explains itself comes out. Nothing is remembered
between two judgements.
"""
