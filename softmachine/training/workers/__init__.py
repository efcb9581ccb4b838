"""Training on several processes, of one machine or more: units of work, and who does them."""
