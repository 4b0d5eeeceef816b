"""Trust in bundles: policies as values, and the verdict on the signatures of one bundle.

A policy, a name, a digest, and signature bundles go in; a verdict with its reasons comes out. Nothing is remembered
between two evaluations.
"""
