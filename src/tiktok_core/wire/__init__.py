"""TikTok's formats: functions that build a request or read a response, without I/O and without an order of steps."""
