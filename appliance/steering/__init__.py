"""What operators tell the delivery process and what it tells them: the same JSON for REST, MQTT and the command line."""
