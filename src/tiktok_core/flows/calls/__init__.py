"""One call, done right: every request to TikTok that a flow makes goes through this package.

`context` is what every flow is given. `exchange` sends one request, reads the answer, and repeats the request where that can
do no harm. `dispatch` knows whether a request may have left, so that the flow around it stores the truth. `access` adds the
account's token and keeps to TikTok's quotas, with what `pace` remembers. `renew` gets a new token: one process of many asks
for it, under a lease (`leases`), and stores it before anybody uses it. `stopwatch` measures deadlines although a clock may be
set. `surely` does what has to be done at the end of a call, also of one that is cancelled. `disks` asks files and
destinations in the background, because a disk may hang. `plain_ports` stand in for two ports that a program need not give.

What belongs here: what every call needs. What a post needs is in `posting`, which stands on this package.
"""
