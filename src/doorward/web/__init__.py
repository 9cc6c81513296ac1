"""The HTTP toolkit of the pages: what stands around every request, and what a page is made of.

Owns headers, cookies, forms, the origin check, error answers, the shared templates and the static files. Knows no
feature: sign-in is in ``accounts``, consent in ``authserver``, settings in ``dashboard``.
"""
