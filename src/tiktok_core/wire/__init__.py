"""How TikTok spells things: build a request, read a response. No I/O, no order of steps."""
