"""Measurements that people can repeat. They print figures and never decide a test."""
