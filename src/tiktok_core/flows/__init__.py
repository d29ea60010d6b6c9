"""In which order things happen: coroutines over the ports. Rules live in `domain`, spelling in `wire`.

`calls` is one call done right; `posting`, one post from the wish to its end, stands on it. Beside them stand the short flows:
`posts` (what the journal knows, and a person's word on it), `sign_in` and `qr`, `display` (the profile and the videos), `find` (what
a post has become), and `portability`.
"""
