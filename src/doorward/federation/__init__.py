"""Other systems that say who somebody is: their keys, their documents, their answers, and what we know of them.

Owns asking them, by the guarded fetch, and judging what they say. Does not know our people (``accounts``) nor who may do
what: it says that an issuer vouches for a subject.
"""
