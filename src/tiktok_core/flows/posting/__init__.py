"""One post, from the wish to its end.

`publish` is the story from top to bottom. `check` looks at the settings, the file, the pictures and the URLs, before anything
is sent. `entry` stores the wish in the journal under its key, once. `run` takes one step after another, waits where
something went wrong (`pauses`), and gives the file away only when bytes have to leave (`video_file`). Each step is a `turn`: take the lease,
read the record, act, store the record. `advance` reads the record's stage and chooses the act: `begin` sends the init,
`upload` sends a chunk, `follow` asks TikTok how the post is doing and writes down what webhooks say.

What belongs here: in which order things happen. What follows from an answer or an error is decided by plain functions in
`domain` (`moves`, `verdicts` and its neighbours): no flow here decides by a stage, a code or an offset.
"""
