"""Cases of the expression language: `python -m tests.conformance.expressions FILE` tells how many hold."""
