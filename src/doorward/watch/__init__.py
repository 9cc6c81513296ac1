"""What happened and how much: use in numbers, and the audit log. Reads and tells; writes only that somebody exported."""
