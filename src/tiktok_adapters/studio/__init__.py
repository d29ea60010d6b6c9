"""The local page: one person signs in, gives a film or pictures, sees what is wrong with them, posts, and follows the posts.

What belongs here: what a browser of this machine is shown and may ask for. `guard` decides who may ask, `server` listens, `routes`
answer, `posts_page` and its neighbours write the pages, `given` keeps the films, and `posting` runs the posts. The rules of a post
are the core's.
"""

from tiktok_adapters.studio.server import Studio

__all__ = ["Studio"]
