"""The voices. Everything here gives the same bits on every processor.

NumPy computes sin, exp, tanh, power and complex products with instructions that differ
between processors, so no array goes through them: tables, recursive filters, rational
curves and real arithmetic take their place.
"""
