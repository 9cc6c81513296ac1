"""People: passwords, browser sessions, signing in and out, and holding off those who guess.

Owns the sign-in page and its rules. Does not own what a person may do (``policy``) nor OAuth (``authserver``): it says
who is at the browser.
"""
