"""Calls that somebody has to approve before they are made (feature D8): asked for, decided, spent once.

``asking`` asks and spends, on the way of a call; ``answers`` and ``state`` are what its client is told and brings back;
``desk`` is for those who decide, by page, API or command, with what they are shown (``view``).
"""
