"""Finds loops in music and renders them to a length."""
