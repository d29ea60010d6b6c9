"""Engines: what wakes a worker when a post is due. The journal knows what is to be done; an engine is an alarm clock.

`worker` has what every engine shares: the port `Alarm`, what a worker does when it is called, and the sweeper that finds what an
engine lost. `rounds` is a worker without an engine: it looks at the journal every few seconds.
"""
