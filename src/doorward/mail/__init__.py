"""Mail: the words of each letter, the queue that survives restarts, and the ways out (SMTP, or the console).

Owns how something is told by mail. Does not own what a link in it does, nor who may cause a mail (``accounts``).
"""
