"""The ways on which an escalation reaches people: a file always, and where it is set a webhook and Telegram."""
