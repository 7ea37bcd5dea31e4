"""From the file to the broker: live rows in order, retained topics, replays. The gateway's alone."""
