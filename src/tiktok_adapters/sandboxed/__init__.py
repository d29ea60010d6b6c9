"""Any program in a world in which TikTok's host names lead to the sandbox: what `tiktok sandbox run` does.

What belongs here: the certificate authority of one run, the namespaces or the proxy that lead to the sandbox, and the process
that watches over the command. The simulator answers; it knows nothing of all this.
"""
