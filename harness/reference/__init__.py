"""Reference pages made from the code, so that they cannot tell of something that is not there.

``python -m harness.reference`` writes them anew; a test compares what lies in ``docs/reference`` with what the
code says.
"""
