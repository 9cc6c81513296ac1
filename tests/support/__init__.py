"""Helpers of the tests: a person with a scripted browser, a running demo, throw-away databases."""
