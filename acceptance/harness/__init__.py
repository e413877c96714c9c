"""What the acceptance tests stand on: the server under test, a webhook sink, wire clients."""
